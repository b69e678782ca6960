"""What becomes of an order whose lead was corrected, released, merged or marked as spam; confirmed customers."""

from shared.migrations import execute_script

revision = "0008"
down_revision = "0007"

LEVELS = """
INSERT INTO level_transitions (from_level, to_level, who)
SELECT code, 'C3.1', ARRAY['system'] FROM levels WHERE code = 'L1' OR parent = 'L1';
INSERT INTO level_transitions (from_level, to_level, who) VALUES ('C3.1', 'L1', ARRAY['system']);
UPDATE level_transitions SET who = array_append(who, 'system') WHERE from_level = 'L1.1' AND to_level = 'L1';
"""

ORDERS = """
ALTER TABLE orders
    ADD COLUMN lead_revision integer NOT NULL DEFAULT 1,
    ADD COLUMN judged_at     timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN spam          text NOT NULL DEFAULT '',
    ADD COLUMN spam_revision integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN orders.lead_revision IS 'the highest revision of the lead that is in this row';
COMMENT ON COLUMN orders.judged_at IS 'when leads last said that it is, or is not, a duplicate; what is older is ignored';
COMMENT ON COLUMN orders.spam IS 'fake, test, competitor';

CREATE TABLE corrections (
    order_id       uuid NOT NULL REFERENCES orders,
    revision       integer NOT NULL,
    at             timestamptz NOT NULL,
    by_id          uuid,
    by_code        text NOT NULL DEFAULT '',
    reason         text NOT NULL DEFAULT '',
    number_changed boolean NOT NULL,
    PRIMARY KEY (order_id, revision)
);
COMMENT ON TABLE corrections IS 'that somebody corrected the lead; what it was before is in the history that leads keeps';

ALTER TABLE arrivals
    ADD COLUMN cause       text NOT NULL DEFAULT 'duplicate'
        CONSTRAINT arrivals_cause_check CHECK (cause IN ('duplicate', 'corrected', 'merged')),
    ADD COLUMN flag        text NOT NULL DEFAULT '',
    ADD COLUMN released_at timestamptz;
COMMENT ON COLUMN arrivals.released_at IS 'it was none: since then it is an order of its own';
"""

CUSTOMERS = """
ALTER TABLE customers
    ADD COLUMN confirmed_at          timestamptz,
    ADD COLUMN confirmed_by          text NOT NULL DEFAULT '',
    ADD COLUMN confirmed_interaction uuid,
    ADD COLUMN merged_into           uuid REFERENCES customers;
COMMENT ON COLUMN customers.confirmed_at IS 'the first conversation with them; until then nobody knows that they exist';
COMMENT ON COLUMN customers.merged_into IS 'the same person; their numbers and orders are there';
UPDATE customers c SET confirmed_at = f.at, confirmed_by = f.staff_code, confirmed_interaction = f.id
FROM (
    SELECT DISTINCT ON (o.customer_id) o.customer_id, i.id, i.at, i.staff_code
    FROM interactions i JOIN orders o ON o.id = i.order_id
    WHERE i.result NOT IN ('', 'busy', 'no_answer', 'switched_off', 'wrong_number', 'spam')
    ORDER BY o.customer_id, i.at, i.id
) f WHERE f.customer_id = c.id;
"""


def upgrade() -> None:
    for script in (LEVELS, ORDERS, CUSTOMERS):
        execute_script(script)
