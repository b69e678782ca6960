"""What shipping tells of failed deliveries, and the calls that follow from it."""

from shared.migrations import execute_script

revision = "0022"
down_revision = "0021"

SCHEMA = """
ALTER TABLE tasks
    DROP CONSTRAINT tasks_origin_check,
    ADD CONSTRAINT tasks_origin_check CHECK (origin IN ('care', 'note', 'rescue'));
COMMENT ON COLUMN tasks.origin IS 'care = opened and closed by the care process alone; note = somebody asked a colleague;'
    ' rescue = a delivery failed';
COMMENT ON COLUMN tasks.subject_id IS 'what it is about, if it is not of the care process: the note, the failed delivery';

CREATE TABLE rescue_steps (
    rescue_id  uuid NOT NULL,
    sequence   integer NOT NULL,
    order_id   uuid NOT NULL REFERENCES orders,
    at         timestamptz NOT NULL,
    step       text NOT NULL,
    state      text NOT NULL,
    attempt    integer NOT NULL,
    carrier    text NOT NULL,
    by_code    text NOT NULL,
    wish       text NOT NULL,
    outcome    text NOT NULL,
    sentence   text NOT NULL,
    PRIMARY KEY (rescue_id, sequence)
);
COMMENT ON TABLE rescue_steps IS 'as shipping tells them, in any order; of each failed delivery the highest sequence counts';
CREATE INDEX rescue_steps_order_idx ON rescue_steps (order_id, at);
"""


def upgrade() -> None:
    execute_script(SCHEMA)
