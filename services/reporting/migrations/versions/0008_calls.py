"""Calls as telephone systems measured them."""

from shared.migrations import execute_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE call_facts (
    call_id      uuid PRIMARY KEY,
    revision     integer NOT NULL,
    order_id     uuid NOT NULL,
    staff_id     uuid NOT NULL,
    day          date NOT NULL,
    direction    text NOT NULL CONSTRAINT call_facts_direction_check CHECK (direction IN ('out', 'in')),
    answered     boolean NOT NULL,
    talk_seconds integer NOT NULL CONSTRAINT call_facts_talk_check CHECK (talk_seconds >= 0)
);
COMMENT ON TABLE call_facts IS 'a call is told again when more is known of it: the highest revision counts';
COMMENT ON COLUMN call_facts.day IS 'on which it began';
COMMENT ON COLUMN call_facts.talk_seconds IS 'from answer to end';
CREATE INDEX call_facts_day_idx ON call_facts (day, staff_id) INCLUDE (direction, answered, talk_seconds);
"""
    )
