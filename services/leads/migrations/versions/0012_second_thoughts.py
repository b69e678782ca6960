"""Leads whose orders were merged, portfolios that locked accounts left, entries that ended, rejections of campaigns."""

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
CREATE TABLE left_portfolios (
    account_id uuid PRIMARY KEY,
    locked_at  timestamptz NOT NULL,
    raised_at  timestamptz,
    open_leads integer NOT NULL DEFAULT 0
);
CREATE INDEX left_portfolios_due_idx ON left_portfolios (account_id) WHERE raised_at IS NULL;
COMMENT ON TABLE left_portfolios IS 'locked accounts; raised_at: their manager was told of the open leads that they left';
INSERT INTO left_portfolios (account_id, locked_at)
SELECT account_id, now() FROM staff_members WHERE version > 0 AND NOT active;

ALTER TABLE do_not_call ADD lapsed_at timestamptz;
COMMENT ON COLUMN do_not_call.lapsed_at IS 'when leads and other services were told that it is over by itself';
CREATE INDEX do_not_call_until_idx ON do_not_call (until) WHERE until IS NOT NULL AND lapsed_at IS NULL;

CREATE INDEX raw_items_campaign_idx ON raw_items ((origin ->> 'campaign'), received_at)
    WHERE verdict IN ('rejected', 'dismissed') AND origin ->> 'campaign' <> '';

COMMENT ON TABLE merged_orders IS 'closed orders that became part of another; done_at: their numbers went to its lead';
"""
    )
