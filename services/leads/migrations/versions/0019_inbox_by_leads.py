"""The raw inbox is read in the order of the leads' arrival; its own index by arrival cost every lead as much as its key."""

from shared.migrations import execute_script

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    execute_script(
        """
-- What is no lead, instead of the rejected alone.
CREATE INDEX raw_items_aside_idx ON raw_items (verdict, received_at, id) WHERE verdict IN ('rejected', 'dismissed', 'undone');
DROP INDEX raw_items_rejected_idx;
DROP INDEX raw_items_received_idx;
-- For figures of a range of days: items lie on the disk in about the order of their arrival.
CREATE INDEX raw_items_range_idx ON raw_items USING brin (received_at) WITH (autosummarize);
"""
    )
