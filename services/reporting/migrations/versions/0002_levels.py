"""What orders says of the levels, which a company may have added itself."""

from shared.migrations import execute_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE levels (
    code    text PRIMARY KEY,
    final   boolean NOT NULL,
    said_at timestamptz NOT NULL
);
COMMENT ON TABLE levels IS 'whether a level ends an order (rule D35), by the last transition that changed our mind';
"""
    )
