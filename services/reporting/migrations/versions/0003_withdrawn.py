"""Leads that were withdrawn, and changes of owner as facts, so that they can be taken out of the sums again."""

from shared.migrations import execute_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE order_facts ADD withdrawn boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN order_facts.withdrawn IS 'its import was undone: it adds nothing, whatever is still told of it';

CREATE TABLE owner_moves (
    order_id      uuid NOT NULL,
    assignment    integer NOT NULL,
    day           date NOT NULL,
    level         text NOT NULL,
    from_owner_id uuid NOT NULL,
    to_owner_id   uuid NOT NULL,
    PRIMARY KEY (order_id, assignment)
);
COMMENT ON TABLE owner_moves IS 'facts behind moved_in and moved_out of level_days';
"""
    )
