"""What a customer pays for the delivery, which is no revenue (rule D28)."""

from shared.migrations import execute_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE order_facts ADD shipping_fee bigint;
COMMENT ON COLUMN order_facts.shipping_fee IS 'null: closed before this was kept, or not told yet';
-- Their days were summed with the fee; so they stay, as their orders do.
UPDATE order_facts SET shipping_fee = 0 WHERE settled_at IS NOT NULL;
"""
    )
