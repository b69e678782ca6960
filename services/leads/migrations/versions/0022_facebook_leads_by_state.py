"""Leads of a Facebook page are listed by what became of them, however few of them wait or failed."""

from shared.migrations import execute_script

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    execute_script(
        """
-- States are few: a list of all of them is merged.
DROP INDEX facebook_leads_failed_idx;
CREATE INDEX facebook_leads_list_idx ON facebook_leads (page_id, state, item_id);
"""
    )
