"""Several carriers: pick-up places, options, rules for choosing, quotes, the carriers' own units, rate limits."""

from shared.migrations import execute_script

revision = "0002"
down_revision = "0001"

SCHEMA = """
ALTER TABLE carrier_connections
    ADD COLUMN options        jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN renewing_until timestamptz,
    DROP CONSTRAINT carrier_connections_base_url_check,
    ADD CONSTRAINT carrier_connections_base_url_check CHECK (base_url = '' OR base_url ~ '^https?://');
COMMENT ON COLUMN carrier_connections.options IS 'how parcels are delivered unless a shipment says otherwise';
COMMENT ON COLUMN carrier_connections.renewing_until IS 'lease of whoever renews the token at the carrier';
COMMENT ON COLUMN carrier_connections.pick_up IS 'the default; others are pick_up_places';

CREATE TABLE pick_up_places (
    id            uuid PRIMARY KEY,
    connection_id uuid NOT NULL REFERENCES carrier_connections ON DELETE CASCADE,
    warehouse     text NOT NULL CONSTRAINT pick_up_places_warehouse_check CHECK (warehouse <> ''),
    pick_up       jsonb NOT NULL,
    version       integer NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pick_up_places_warehouse_key UNIQUE (connection_id, warehouse)
);
COMMENT ON TABLE pick_up_places IS 'where a connection fetches parcels besides its default place, with its sender';

CREATE TABLE posting_rules (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT posting_rules_only_check CHECK (only_row),
    rules    jsonb NOT NULL DEFAULT '[]',
    version  integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE posting_rules IS 'which connection takes a parcel that nobody chose one for; the first that fits counts';
INSERT INTO posting_rules DEFAULT VALUES;

CREATE TABLE carrier_gates (
    connection_id uuid PRIMARY KEY REFERENCES carrier_connections ON DELETE CASCADE,
    next_turn_at  timestamptz NOT NULL,
    failures      integer NOT NULL DEFAULT 0,
    shut_until    timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE carrier_gates IS 'the rate of requests to a connection, and whether it is left alone, for all processes';
COMMENT ON COLUMN carrier_gates.failures IS 'in a row';

CREATE TABLE carrier_turns (
    connection_id uuid NOT NULL REFERENCES carrier_connections ON DELETE CASCADE,
    subject       text NOT NULL,
    at            timestamptz NOT NULL,
    PRIMARY KEY (connection_id, subject)
);
COMMENT ON TABLE carrier_turns IS 'requests that were told to come back, and when it is their turn';

CREATE TABLE carrier_units (
    carrier     text NOT NULL,
    era         text NOT NULL CONSTRAINT carrier_units_era_check CHECK (era IN ('old', 'new')),
    level       text NOT NULL CONSTRAINT carrier_units_level_check CHECK (level IN ('province', 'district', 'ward')),
    parent_code text NOT NULL,
    code        text NOT NULL,
    name        text NOT NULL,
    keys        text[] NOT NULL,
    PRIMARY KEY (carrier, era, level, parent_code, code)
);
COMMENT ON TABLE carrier_units IS 'carriers'' own lists of provinces, districts and wards; their codes are not the official ones';
COMMENT ON COLUMN carrier_units.keys IS 'normalised names: the whole name, then other names, then each without its kind';

CREATE TABLE carrier_unit_lists (
    carrier    text NOT NULL,
    era        text NOT NULL,
    units      integer NOT NULL,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (carrier, era)
);

ALTER TABLE shippable_orders
    ADD COLUMN province_code text NOT NULL DEFAULT '',
    ADD COLUMN district_code text NOT NULL DEFAULT '',
    ADD COLUMN ward_code     text NOT NULL DEFAULT '',
    ADD COLUMN shipping_fee  bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN shippable_orders.ward_code IS 'official, in the era of the address: old with a district, new without';

CREATE TABLE shipping_plans (
    order_id      uuid PRIMARY KEY,
    connection_id uuid NOT NULL REFERENCES carrier_connections ON DELETE CASCADE,
    pick_up_id    uuid REFERENCES pick_up_places ON DELETE SET NULL,
    options       jsonb,
    waybill       text NOT NULL DEFAULT '',
    planned_at    timestamptz NOT NULL DEFAULT now(),
    planned_by    text NOT NULL
);
COMMENT ON TABLE shipping_plans IS 'what a person chose for an order before or after it was posted';

CREATE TABLE quotes (
    order_id      uuid NOT NULL,
    connection_id uuid NOT NULL REFERENCES carrier_connections ON DELETE CASCADE,
    service       text NOT NULL,
    fee           bigint NOT NULL,
    insurance_fee bigint NOT NULL,
    hours         integer,
    quoted_at     timestamptz NOT NULL,
    PRIMARY KEY (order_id, connection_id, service)
);
COMMENT ON TABLE quotes IS 'the newest answer of each connection about each service for an order';

ALTER TABLE shipments
    ADD COLUMN pick_up_id uuid REFERENCES pick_up_places ON DELETE SET NULL,
    ADD COLUMN options    jsonb,
    ADD COLUMN quoted_fee bigint,
    ADD COLUMN sort_code  text NOT NULL DEFAULT '';
COMMENT ON COLUMN shipments.options IS 'as it was told to the carrier; NULL until then';
COMMENT ON COLUMN shipments.quoted_fee IS
    'what the carrier said beforehand: the quote for the service, else its answer to the creation; NULL = nothing';
"""


def upgrade() -> None:
    execute_script(SCHEMA)
