"""When care asked for somebody else: what ended the order after that is the newer word."""

from shared.migrations import execute_script

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE reassignment_requests ADD at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN reassignment_requests.at IS 'when care asked; of what was asked before this column, when it was added';
"""
    )
