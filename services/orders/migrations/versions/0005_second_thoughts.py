"""What is taken back or changed afterwards: results undone, closed orders edited or reopened; how late promises were met."""

from shared.migrations import execute_script

revision = "0005"
down_revision = "0004"

PROMISES = """
ALTER TABLE promises ADD COLUMN made_good_at timestamptz, ADD COLUMN voided_at timestamptz;
UPDATE promises SET late_seconds = greatest(0, extract(epoch FROM ended_at - due_at))::integer WHERE outcome = 'broken';
COMMENT ON COLUMN promises.late_seconds IS
    'wall time from due_at until it was met; of a broken one until it broke, and once it was made good until then';
COMMENT ON COLUMN promises.made_good_at IS 'when a broken one was met after all';
COMMENT ON COLUMN promises.voided_at IS 'the result that ended or made it was undone: it counts no more';
"""

UNDO = """
CREATE TABLE undo_points (
    interaction_id uuid PRIMARY KEY REFERENCES interactions,
    order_id       uuid NOT NULL REFERENCES orders,
    number         integer NOT NULL,
    level          text NOT NULL,
    level_since    timestamptz NOT NULL,
    marks          text[] NOT NULL,
    state          jsonb NOT NULL,
    tasks          jsonb NOT NULL,
    came_again_at  timestamptz,
    do_not_call_at timestamptz,
    refused_at     timestamptz,
    sequence_after integer NOT NULL,
    assignment     integer NOT NULL,
    asked_leads    boolean NOT NULL,
    undone_at      timestamptz
);
COMMENT ON TABLE undo_points IS 'how an order stood before an interaction, so that its author can take it back (rule D15)';
COMMENT ON COLUMN undo_points.tasks IS 'the tasks that were open then, as they were';
COMMENT ON COLUMN undo_points.refused_at IS 'it put the customer on the do-not-call list, where do_not_call_at stood before';
COMMENT ON COLUMN undo_points.asked_leads IS 'care asked leads for another owner, which cannot be taken back';
CREATE INDEX undo_points_order_idx ON undo_points (order_id);

CREATE VIEW standing_interactions AS SELECT * FROM interactions i
WHERE NOT EXISTS (SELECT 1 FROM undo_points u WHERE u.interaction_id = i.id AND u.undone_at IS NOT NULL);
COMMENT ON VIEW standing_interactions IS 'those that were not undone: what care counts';
"""

VERSIONS = """
CREATE TABLE order_versions (
    order_id uuid NOT NULL REFERENCES orders,
    version  integer NOT NULL,
    at       timestamptz NOT NULL,
    by_id    uuid,
    by_code  text NOT NULL DEFAULT '',
    reason   text NOT NULL DEFAULT '',
    contents jsonb NOT NULL,
    PRIMARY KEY (order_id, version)
);
COMMENT ON TABLE order_versions IS 'what was agreed with the customer, each time it was: closings and edits';
CREATE TRIGGER order_versions_append_only BEFORE UPDATE OR DELETE ON order_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
INSERT INTO order_versions (order_id, version, at, by_id, by_code, contents)
SELECT o.id, o.version, o.closed_at, o.closer_id, o.closer_code, jsonb_build_object(
    'recipient', o.recipient, 'phone', o.recipient_phone, 'note', o.note, 'deliver_on', o.deliver_on,
    'address', jsonb_build_object('province', o.province, 'district', o.district, 'ward', o.ward, 'detail', o.address),
    'lines', (SELECT jsonb_agg(jsonb_build_object('sku', l.sku, 'name', l.name, 'quantity', l.quantity,
        'unit_price', l.unit_price, 'weight_grams', l.weight_grams, 'gift', l.gift) ORDER BY l.position)
        FROM order_lines l WHERE l.order_id = o.id),
    'discount', o.discount, 'shipping_fee', o.shipping_fee, 'deposit', o.deposit, 'total', o.total, 'cod', o.cod)
FROM orders o WHERE o.closed_at IS NOT NULL;
COMMENT ON COLUMN orders.version IS 'of its contents; grows with each closing and each edit';
COMMENT ON COLUMN stock_movements.version IS 'of the order: each version reserves, releases and issues a SKU once';
"""

REOPENING = """
INSERT INTO level_transitions (from_level, to_level, who, permission, requires)
SELECT 'L5', code, ARRAY['staff'], 'orders.reopen', ARRAY['reason'] FROM levels WHERE code IN ('L1.2', 'L1.4', 'L1.6');
"""


def upgrade() -> None:
    for script in (PROMISES, UNDO, VERSIONS, REOPENING):
        execute_script(script)
