"""Revenue received without the carriers' compensations, and with the orders that were paid before they were sent."""

from shared.migrations import execute_script

revision = "0011"
down_revision = "0010"


SCHEMA = """
ALTER TABLE order_facts ADD compensated boolean NOT NULL DEFAULT false;
ALTER TABLE money_days DROP CONSTRAINT money_days_kind_check, ADD CONSTRAINT money_days_kind_check
    CHECK (kind IN ('closed', 'delivered', 'received', 'compensated'));
UPDATE order_facts SET compensated = true WHERE settled_at IS NOT NULL AND level = 'L7.6';
DELETE FROM money_days WHERE kind = 'received';
"""
SUM_ANEW = """
WITH told AS (
    SELECT *, coalesce(deposit >= closed_value + shipping_fee, false) AND closed_at IS NOT NULL AS prepaid
    FROM order_facts WHERE NOT withdrawn AND NOT (merged AND level IS NOT DISTINCT FROM 'L5.3')
), facts AS (
    SELECT settled_at AS at, 'compensated' AS kind, settled_amount AS amount FROM told
    WHERE compensated AND settled_at IS NOT NULL
    UNION ALL
    SELECT l8_at, 'received', closed_value FROM told
    WHERE prepaid AND l8_at IS NOT NULL AND NOT (compensated AND settled_at IS NOT NULL)
    UNION ALL
    SELECT settled_at, 'received', CASE WHEN shipping_fee IS NOT NULL THEN greatest(0, settled_amount + deposit - shipping_fee)
        WHEN closed_at IS NOT NULL THEN least(settled_amount + deposit, closed_value) ELSE settled_amount + deposit END
    FROM told WHERE settled_at IS NOT NULL AND NOT prepaid AND NOT compensated
)
INSERT INTO money_days (day, kind, orders, amount)
SELECT (at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date, kind, count(*), sum(amount) FROM facts GROUP BY 1, 2
"""
"""What orders add to these days follows another rule from now on; projection.py says it one order at a time."""


def upgrade() -> None:
    execute_script(SCHEMA)
    execute_script(SUM_ANEW)
