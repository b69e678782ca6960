"""Leads whose orders were merged."""

from shared.migrations import execute_script

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE merged_orders (
    lead_id uuid PRIMARY KEY,
    into_id uuid NOT NULL,
    at      timestamptz NOT NULL,
    by      text NOT NULL,
    reason  text NOT NULL,
    done_at timestamptz
);
CREATE INDEX merged_orders_open_idx ON merged_orders (lead_id) WHERE done_at IS NULL;
COMMENT ON TABLE merged_orders IS 'closed orders that became part of another; done_at: their numbers went to its lead';
"""
    )
