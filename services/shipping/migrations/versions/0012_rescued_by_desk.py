"""Who decided about a failed delivery: sales, or the COD desk."""

from shared.migrations import execute_script

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE rescue_requests ADD COLUMN by_desk boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN rescue_requests.by_desk IS 'of the COD desk, and neither holder nor closer of the order';
"""
    )
