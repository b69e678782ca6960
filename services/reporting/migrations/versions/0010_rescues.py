"""Failed deliveries, as shipping tells of them."""

from shared.migrations import execute_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE rescue_facts (
    rescue_id   uuid PRIMARY KEY,
    sequence    integer NOT NULL,
    order_id    uuid NOT NULL,
    shipment_id uuid NOT NULL,
    day         date NOT NULL,
    carrier     text NOT NULL,
    reason_code text NOT NULL,
    reason_vi   text NOT NULL,
    reason_en   text NOT NULL,
    staff_id    uuid,
    called_for  boolean NOT NULL,
    asked       boolean NOT NULL,
    is_open     boolean NOT NULL,
    outcome     text NOT NULL,
    saved       boolean NOT NULL
);
COMMENT ON TABLE rescue_facts IS 'a failed delivery is told again with each step: the highest sequence counts';
COMMENT ON COLUMN rescue_facts.rescue_id IS 'also the id of the promise to call about it (promise_facts)';
COMMENT ON COLUMN rescue_facts.day IS 'of the failed delivery, by the carrier''s time';
COMMENT ON COLUMN rescue_facts.staff_id IS 'who decided: theirs is the rescue';
COMMENT ON COLUMN rescue_facts.called_for IS 'it was known while something could be done';
CREATE INDEX rescue_facts_day_idx ON rescue_facts (day, carrier);
"""
    )
