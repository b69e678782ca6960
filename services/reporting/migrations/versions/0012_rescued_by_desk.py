"""Failed deliveries that the COD desk was called about, and those that it decided."""

from shared.migrations import execute_script

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE rescue_facts ADD COLUMN by_desk boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN rescue_facts.by_desk IS 'the COD desk decided, and neither holder nor closer of the order';
CREATE TABLE rescue_hand_overs (
    rescue_id uuid PRIMARY KEY,
    at        timestamptz NOT NULL,
    why       text NOT NULL
);
COMMENT ON TABLE rescue_hand_overs IS 'calls that the COD desk got: of a failed delivery the first';
"""
    )
