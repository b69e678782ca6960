"""Closed orders that were merged into another: they ended, and were not cancelled (rule D20)."""

from shared.migrations import execute_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE order_facts ADD merged boolean NOT NULL DEFAULT false;
ALTER TABLE cohort_source_days ADD merged bigint NOT NULL DEFAULT 0;
ALTER TABLE cohort_owner_days ADD merged bigint NOT NULL DEFAULT 0;
"""
    )
