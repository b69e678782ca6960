"""What somebody sent and is no lead is found without looking at what all others sent."""

from shared.migrations import execute_script

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    execute_script(
        """
-- Only what is no lead: of leads and duplicates, nearly all items, leads_created_by_idx knows the sender and the arrival.
CREATE INDEX raw_items_sender_idx ON raw_items (created_by, received_at, id)
    WHERE created_by IS NOT NULL AND verdict IN ('rejected', 'dismissed', 'undone');
"""
    )
