"""The history of a lead: every change that people or rules made to it."""

from shared.migrations import execute_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE lead_changes (
    id      uuid PRIMARY KEY,
    lead_id uuid NOT NULL CONSTRAINT lead_changes_lead_id_fkey REFERENCES leads,
    at      timestamptz NOT NULL,
    by_id   uuid,
    by      text NOT NULL DEFAULT '',
    kind    text NOT NULL,
    before  jsonb NOT NULL DEFAULT '{}',
    after   jsonb NOT NULL DEFAULT '{}',
    reason  text NOT NULL DEFAULT ''
);
COMMENT ON TABLE lead_changes IS 'append-only; owners are in assignments, arrival in raw_items';
COMMENT ON COLUMN lead_changes.by IS 'staff code; empty = a rule of the system did it';
COMMENT ON COLUMN lead_changes.kind IS 'what changed, as a code: phone, data, duplicate_released, merged, spam, tags, note, …';
COMMENT ON COLUMN lead_changes.before IS 'the fields that changed, as they were; numbers are masked when shown';
CREATE INDEX lead_changes_lead_idx ON lead_changes (lead_id, at, id);
"""
    )
