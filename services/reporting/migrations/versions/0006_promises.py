"""How promises ended, and how long customers waited for the first call."""

from shared.migrations import execute_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE promise_facts (
    promise_id   uuid PRIMARY KEY,
    order_id     uuid NOT NULL,
    kind         text NOT NULL,
    owner_id     uuid NOT NULL,
    day          date NOT NULL,
    outcome      text NOT NULL,
    late_seconds integer NOT NULL
);
COMMENT ON COLUMN promise_facts.day IS 'on which it was due';
CREATE INDEX promise_facts_day_idx ON promise_facts (day, kind, owner_id);

CREATE TABLE first_call_facts (
    interaction_id uuid PRIMARY KEY,
    order_id       uuid NOT NULL,
    owner_id       uuid NOT NULL,
    day            date NOT NULL,
    wait_seconds   integer NOT NULL
);
COMMENT ON COLUMN first_call_facts.day IS 'of the assignment';
COMMENT ON COLUMN first_call_facts.wait_seconds IS 'from the arrival of the number to the call, in calling hours';
CREATE INDEX first_call_facts_day_idx ON first_call_facts (day, owner_id);

CREATE TABLE taken_back (id uuid PRIMARY KEY);
COMMENT ON TABLE taken_back IS 'promises and calls whose result was undone, in any order with what they undo: they count nowhere'
"""
    )
