"""Levels, customers and orders, and what is told about them."""

from shared.migrations import create_messaging_tables, execute_script

revision = "0001"
down_revision = None

LEVELS = """
CREATE TABLE levels (
    code       text PRIMARY KEY CONSTRAINT levels_code_check CHECK (code ~ '^[A-Z][0-9]+([.][0-9]+)?$'),
    vi         text NOT NULL,
    en         text NOT NULL,
    kind       text NOT NULL CONSTRAINT levels_kind_check CHECK (kind IN ('open', 'final')),
    parent     text REFERENCES levels,
    colour     text NOT NULL CONSTRAINT levels_colour_check CHECK (colour ~ '^#[0-9a-f]{6}$'),
    position   integer NOT NULL,
    retired_at timestamptz,
    CONSTRAINT levels_parent_check CHECK (parent IS NOT DISTINCT FROM nullif(split_part(code, '.', 1), code))
);
COMMENT ON COLUMN levels.parent IS 'the main level of a child; null for a main level';

CREATE TABLE level_transitions (
    from_level text NOT NULL REFERENCES levels,
    to_level   text NOT NULL REFERENCES levels,
    who        text[] NOT NULL CONSTRAINT level_transitions_who_check
               CHECK (cardinality(who) > 0 AND who <@ ARRAY['staff', 'system', 'carrier', 'correction']),
    permission text NOT NULL DEFAULT 'orders.care',
    requires   text[] NOT NULL DEFAULT '{}' CONSTRAINT level_transitions_requires_check
               CHECK (requires <@ ARRAY['reason', 'call', 'order']),
    PRIMARY KEY (from_level, to_level),
    CONSTRAINT level_transitions_levels_check CHECK (from_level <> to_level)
);
COMMENT ON TABLE level_transitions IS 'every allowed move; a move that is not here is an error';
COMMENT ON COLUMN level_transitions.who IS
    'staff, the care process (system), a fact of the carrier, a correction by the carrier with a later time of its own';
COMMENT ON COLUMN level_transitions.permission IS 'what staff need for it; groups are sets of permissions';
COMMENT ON COLUMN level_transitions.requires IS 'what staff must give: a reason, a logged call, a complete order';
"""

CUSTOMERS = """
CREATE TABLE customers (
    id                 uuid PRIMARY KEY,
    kind               text NOT NULL DEFAULT 'person'
                       CONSTRAINT customers_kind_check CHECK (kind IN ('person', 'organisation')),
    name               text NOT NULL DEFAULT '',
    do_not_call_at     timestamptz,
    do_not_call_reason text NOT NULL DEFAULT '',
    created_at         timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE customer_phones (
    phone       text PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customers DEFERRABLE INITIALLY DEFERRED,
    added_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE customer_phones IS 'E.164; a number belongs to one customer';
CREATE INDEX customer_phones_customer_idx ON customer_phones (customer_id);

CREATE TABLE customer_addresses (
    id          uuid PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customers,
    province    text NOT NULL,
    district    text NOT NULL DEFAULT '',
    ward        text NOT NULL,
    detail      text NOT NULL,
    era         text NOT NULL GENERATED ALWAYS AS (CASE WHEN district = '' THEN 'two_tier' ELSE 'three_tier' END) STORED,
    used_at     timestamptz NOT NULL,
    CONSTRAINT customer_addresses_address_key UNIQUE (customer_id, province, district, ward, detail)
);
COMMENT ON COLUMN customer_addresses.era IS 'three tiers (with a district) until 2025-06-30, two tiers since';
"""

ORDERS = """
CREATE SEQUENCE order_numbers;

CREATE TABLE orders (
    id                 uuid PRIMARY KEY,
    code               text NOT NULL CONSTRAINT orders_code_key UNIQUE,
    customer_id        uuid NOT NULL REFERENCES customers,
    phone              text NOT NULL,
    name               text NOT NULL DEFAULT '',
    lead_address       text NOT NULL DEFAULT '',
    lead_note          text NOT NULL DEFAULT '',
    channel            text NOT NULL DEFAULT '',
    campaign           text NOT NULL DEFAULT '',
    landing_page       text NOT NULL DEFAULT '',
    marketer           text NOT NULL DEFAULT '',
    product            text NOT NULL DEFAULT '',
    cohort_at          timestamptz NOT NULL,
    returning_customer boolean NOT NULL DEFAULT false,
    asked_to_be_called boolean NOT NULL DEFAULT true,
    consent_text       text NOT NULL DEFAULT '',
    consent_page       text NOT NULL DEFAULT '',
    level              text NOT NULL REFERENCES levels,
    level_since        timestamptz NOT NULL,
    sequence           integer NOT NULL,
    owner_id           uuid,
    owner_code         text NOT NULL DEFAULT '',
    team               text NOT NULL DEFAULT '',
    assignment         integer NOT NULL DEFAULT 0,
    assigned_at        timestamptz,
    marks              text[] NOT NULL DEFAULT '{}',
    version            integer NOT NULL DEFAULT 0,
    closed_at          timestamptz,
    closer_id          uuid,
    closer_code        text NOT NULL DEFAULT '',
    recipient          text NOT NULL DEFAULT '',
    recipient_phone    text NOT NULL DEFAULT '',
    province           text NOT NULL DEFAULT '',
    district           text NOT NULL DEFAULT '',
    ward               text NOT NULL DEFAULT '',
    address            text NOT NULL DEFAULT '',
    note               text NOT NULL DEFAULT '',
    deliver_on         date,
    discount           bigint NOT NULL DEFAULT 0 CONSTRAINT orders_discount_check CHECK (discount >= 0),
    shipping_fee       bigint NOT NULL DEFAULT 0 CONSTRAINT orders_shipping_fee_check CHECK (shipping_fee >= 0),
    deposit            bigint NOT NULL DEFAULT 0 CONSTRAINT orders_deposit_check CHECK (deposit >= 0),
    total              bigint NOT NULL DEFAULT 0 CONSTRAINT orders_total_check CHECK (total >= 0),
    cod                bigint NOT NULL GENERATED ALWAYS AS (total - deposit) STORED
                       CONSTRAINT orders_cod_check CHECK (total - deposit >= 0),
    cancelled_at       timestamptz,
    cancel_reason      text NOT NULL DEFAULT '',
    shipment_id        uuid,
    shipment_sequence  integer NOT NULL DEFAULT 0,
    shipment_status    text NOT NULL DEFAULT '',
    carrier            text NOT NULL DEFAULT '',
    waybill            text NOT NULL DEFAULT '',
    handed_over_at     timestamptz,
    settled_at         timestamptz,
    settled_amount     bigint NOT NULL DEFAULT 0,
    settled_fee        bigint NOT NULL DEFAULT 0,
    search             tsvector NOT NULL DEFAULT '',
    created_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN orders.id IS 'the id of the lead it came from, for life';
COMMENT ON COLUMN orders.cohort_at IS 'arrival of the number (ngày số về)';
COMMENT ON COLUMN orders.sequence IS 'number of its last transition';
COMMENT ON COLUMN orders.assignment IS 'the highest assignment known; leads alone writes the owner';
COMMENT ON COLUMN orders.version IS 'of its contents; grows with each closing';
COMMENT ON COLUMN orders.search IS 'words of the names without accents';
CREATE INDEX orders_owner_idx ON orders (owner_id, id);
CREATE INDEX orders_closer_idx ON orders (closer_id, id) WHERE closer_id IS NOT NULL;
CREATE INDEX orders_level_idx ON orders (level, id);
CREATE INDEX orders_phone_idx ON orders (phone, id);
CREATE INDEX orders_customer_idx ON orders (customer_id, id);
CREATE INDEX orders_search_idx ON orders USING gin (search);

CREATE TABLE assignments (
    order_id    uuid NOT NULL,
    assignment  integer NOT NULL,
    owner_id    uuid,
    owner_code  text NOT NULL DEFAULT '',
    team        text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL,
    cause       text NOT NULL,
    PRIMARY KEY (order_id, assignment)
);
COMMENT ON TABLE assignments IS 'facts from leads in any order, also before their order is known; null owner = released';

CREATE TABLE transitions (
    id          uuid PRIMARY KEY,
    order_id    uuid NOT NULL REFERENCES orders,
    sequence    integer NOT NULL CONSTRAINT transitions_sequence_check CHECK (sequence > 0),
    from_level  text NOT NULL REFERENCES levels,
    to_level    text NOT NULL REFERENCES levels,
    at          timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    cause       text NOT NULL,
    actor_id    uuid,
    actor_code  text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    note        text NOT NULL DEFAULT '',
    CONSTRAINT transitions_order_key UNIQUE (order_id, sequence)
);
COMMENT ON COLUMN transitions.at IS 'event time; recorded_at is when we learnt of it';

CREATE TABLE interactions (
    id          uuid PRIMARY KEY,
    order_id    uuid NOT NULL REFERENCES orders,
    number      integer NOT NULL CONSTRAINT interactions_number_check CHECK (number > 0),
    kind        text NOT NULL CONSTRAINT interactions_kind_check CHECK (kind IN ('call', 'message', 'email', 'visit')),
    direction   text NOT NULL CONSTRAINT interactions_direction_check CHECK (direction IN ('out', 'in')),
    result      text NOT NULL DEFAULT '',
    step        text NOT NULL DEFAULT '',
    phone       text NOT NULL DEFAULT '',
    note        text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    promised_at timestamptz,
    seconds     integer NOT NULL DEFAULT 0 CONSTRAINT interactions_seconds_check CHECK (seconds >= 0),
    recording   text NOT NULL DEFAULT '',
    staff_id    uuid,
    staff_code  text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT interactions_number_key UNIQUE (order_id, number)
);
COMMENT ON COLUMN interactions.number IS 'the order in which they were recorded; at is when it happened';
COMMENT ON COLUMN interactions.phone IS 'the number that was called: caps count calls a number over all products';
CREATE INDEX interactions_order_idx ON interactions (order_id, at, id);
CREATE INDEX interactions_phone_idx ON interactions (phone, at) WHERE kind IN ('call', 'message');

CREATE TABLE arrivals (
    lead_id     uuid PRIMARY KEY,
    order_id    uuid NOT NULL REFERENCES orders,
    at          timestamptz NOT NULL,
    product     text NOT NULL DEFAULT '',
    channel     text NOT NULL DEFAULT '',
    landing_page text NOT NULL DEFAULT '',
    note        text NOT NULL DEFAULT '',
    asked_again boolean NOT NULL
);
COMMENT ON TABLE arrivals IS 'the customer left the number again: duplicates on the timeline of their anchor';
CREATE INDEX arrivals_order_idx ON arrivals (order_id, at);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'append-only'; END $$;
CREATE TRIGGER transitions_append_only BEFORE UPDATE OR DELETE ON transitions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER interactions_append_only BEFORE UPDATE OR DELETE ON interactions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    create_messaging_tables()
    for script in (LEVELS, CUSTOMERS, ORDERS):
        execute_script(script)
