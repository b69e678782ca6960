"""Polling: what the carrier promised, and which carriers were asked to call back and have not."""

from shared.migrations import execute_script

revision = "0004"
down_revision = "0003"

SCHEMA = """
ALTER TABLE shipments
    ADD COLUMN promised_at timestamptz,
    ADD COLUMN asked_at    timestamptz,
    ADD COLUMN unanswered  integer NOT NULL DEFAULT 0
        CONSTRAINT shipments_unanswered_check CHECK (unanswered >= 0);
COMMENT ON COLUMN shipments.promised_at IS 'when the carrier means to deliver, by its newest word';
COMMENT ON COLUMN shipments.asked_at IS 'the carrier was asked to call back about it, and has not yet';
COMMENT ON COLUMN shipments.unanswered IS 'such requests since the carrier last told anything';
"""


def upgrade() -> None:
    execute_script(SCHEMA)
