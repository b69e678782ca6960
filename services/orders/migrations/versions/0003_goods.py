"""Products and stock, the lines of orders, fulfilment, and what shipping tells."""

from shared.migrations import execute_script

revision = "0003"
down_revision = "0002"

GOODS = """
CREATE TABLE products (
    sku          text PRIMARY KEY CONSTRAINT products_sku_check CHECK (sku ~ '^[A-Za-z0-9][A-Za-z0-9._/-]{0,39}$'),
    name         text NOT NULL,
    price        bigint NOT NULL CONSTRAINT products_price_check CHECK (price >= 0),
    weight_grams integer NOT NULL CONSTRAINT products_weight_check CHECK (weight_grams > 0),
    created_at   timestamptz NOT NULL DEFAULT now(),
    retired_at   timestamptz
);

CREATE TABLE stock_levels (
    sku      text PRIMARY KEY REFERENCES products,
    on_hand  integer NOT NULL DEFAULT 0,
    reserved integer NOT NULL DEFAULT 0,
    CONSTRAINT stock_levels_sold_once_check CHECK (reserved >= 0 AND reserved <= on_hand)
);
COMMENT ON TABLE stock_levels IS 'the sum of the ledger stock_movements for each SKU';

CREATE TABLE stock_movements (
    id         uuid PRIMARY KEY,
    sku        text NOT NULL REFERENCES products,
    kind       text NOT NULL
               CONSTRAINT stock_movements_kind_check CHECK (kind IN ('receipt', 'reserve', 'release', 'issue')),
    on_hand    integer NOT NULL,
    reserved   integer NOT NULL,
    order_id   uuid,
    version    integer,
    at         timestamptz NOT NULL,
    actor_code text NOT NULL DEFAULT '',
    note       text NOT NULL DEFAULT '',
    CONSTRAINT stock_movements_once_key UNIQUE (order_id, version, sku, kind),
    CONSTRAINT stock_movements_order_check CHECK ((kind = 'receipt') = (order_id IS NULL))
);
COMMENT ON COLUMN stock_movements.on_hand IS 'by how much the stock on hand changed; reserved likewise';
COMMENT ON COLUMN stock_movements.version IS 'of the order: each closing reserves, releases and issues once';
CREATE INDEX stock_movements_sku_idx ON stock_movements (sku, at);
CREATE TRIGGER stock_movements_append_only BEFORE UPDATE OR DELETE ON stock_movements
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE order_lines (
    order_id     uuid NOT NULL REFERENCES orders,
    position     integer NOT NULL,
    sku          text NOT NULL REFERENCES products,
    name         text NOT NULL,
    quantity     integer NOT NULL CONSTRAINT order_lines_quantity_check CHECK (quantity > 0),
    unit_price   bigint NOT NULL CONSTRAINT order_lines_unit_price_check CHECK (unit_price >= 0),
    weight_grams integer NOT NULL CONSTRAINT order_lines_weight_check CHECK (weight_grams > 0),
    gift         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (order_id, position),
    CONSTRAINT order_lines_gift_check CHECK (unit_price > 0 OR gift)
);
CREATE INDEX order_lines_sku_idx ON order_lines (sku);

CREATE TABLE reservations (
    order_id  uuid PRIMARY KEY REFERENCES orders,
    version   integer NOT NULL,
    state     text NOT NULL
              CONSTRAINT reservations_state_check CHECK (state IN ('waiting', 'reserved', 'released', 'issued')),
    queued_at timestamptz NOT NULL
);
COMMENT ON TABLE reservations IS 'written under the stock lock alone: whoever holds it waits for the row of no order';
COMMENT ON COLUMN reservations.queued_at IS 'closing time: who closed first gets the next unit';
CREATE INDEX reservations_waiting_idx ON reservations (queued_at, order_id) WHERE state = 'waiting';
"""

FULFILMENT = """
CREATE TABLE fulfilments (
    order_id     uuid PRIMARY KEY REFERENCES orders,
    round        integer NOT NULL DEFAULT 1,
    phase        text NOT NULL CONSTRAINT fulfilments_phase_check
                 CHECK (phase IN ('closed', 'posted', 'shipped', 'cancelled', 'done')),
    posted_at    timestamptz,
    posted_by    text NOT NULL DEFAULT '',
    version      integer NOT NULL DEFAULT 1,
    seen_version integer NOT NULL DEFAULT 0,
    changed_at   timestamptz NOT NULL
);
COMMENT ON COLUMN fulfilments.round IS 'the workflow that follows it; a parcel that was never picked up begins another';
COMMENT ON COLUMN fulfilments.version IS 'grows with each change; the workflow has seen seen_version';
CREATE INDEX fulfilments_open_idx ON fulfilments (order_id) WHERE phase NOT IN ('cancelled', 'done');
CREATE INDEX fulfilments_to_post_idx ON fulfilments (order_id) WHERE phase = 'closed';

CREATE TABLE shipment_facts (
    shipment_id uuid NOT NULL,
    sequence    integer NOT NULL,
    order_id    uuid NOT NULL REFERENCES orders,
    status      text NOT NULL,
    at          timestamptz NOT NULL,
    carrier     text NOT NULL,
    waybill     text NOT NULL DEFAULT '',
    reason_code text NOT NULL DEFAULT '',
    correction  boolean NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shipment_id, sequence)
);
COMMENT ON TABLE shipment_facts IS 'every confirmed state that shipping told, in any order: the timeline';
CREATE INDEX shipment_facts_order_idx ON shipment_facts (order_id, at);

CREATE TABLE settlements (
    shipment_id uuid PRIMARY KEY,
    order_id    uuid NOT NULL REFERENCES orders,
    at          timestamptz NOT NULL,
    amount      bigint NOT NULL,
    fee         bigint NOT NULL,
    carrier     text NOT NULL,
    evidence    text NOT NULL
);
CREATE INDEX settlements_order_idx ON settlements (order_id);
"""


def upgrade() -> None:
    for script in (GOODS, FULFILMENT):
        execute_script(script)
