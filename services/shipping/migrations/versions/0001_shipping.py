"""The first schema: connections, orders to be shipped, shipments, their timeline, raw callbacks."""

from shared.migrations import create_messaging_tables, execute_script

revision = "0001"
down_revision = None

SCHEMA = """
CREATE TABLE carrier_connections (
    id                     uuid PRIMARY KEY,
    carrier                text NOT NULL CONSTRAINT carrier_connections_carrier_check CHECK (carrier <> ''),
    shop_name              text NOT NULL CONSTRAINT carrier_connections_shop_name_check CHECK (shop_name <> ''),
    base_url               text NOT NULL CONSTRAINT carrier_connections_base_url_check CHECK (base_url ~ '^https?://'),
    credentials            bytea NOT NULL,
    callback_secret_number integer NOT NULL DEFAULT 1,
    callback_secret_hash   bytea NOT NULL
                           CONSTRAINT carrier_connections_hash_check CHECK (octet_length(callback_secret_hash) = 32),
    pick_up                jsonb NOT NULL,
    requests_per_second    integer NOT NULL
                           CONSTRAINT carrier_connections_rate_check CHECK (requests_per_second BETWEEN 1 AND 100),
    state                  text NOT NULL DEFAULT 'enabled'
                           CONSTRAINT carrier_connections_state_check CHECK (state IN ('enabled', 'disabled')),
    failing_since          timestamptz,
    last_error             text NOT NULL DEFAULT '',
    round                  integer NOT NULL DEFAULT 1,
    version                integer NOT NULL DEFAULT 1,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT carrier_connections_shop_key UNIQUE (carrier, shop_name),
    CONSTRAINT carrier_connections_hash_key UNIQUE (callback_secret_hash)
);
COMMENT ON COLUMN carrier_connections.credentials IS 'AES-256-GCM, nonce first, bound to the id; the key is a setting';
COMMENT ON COLUMN carrier_connections.callback_secret_number IS 'the secret is derived from the key, the id and this number';
COMMENT ON COLUMN carrier_connections.round IS 'number of its polling workflow: a further one after one was ended';
COMMENT ON COLUMN carrier_connections.state IS 'disabled = no new shipments; those on the way are still followed';

CREATE TABLE shippable_orders (
    order_id          uuid PRIMARY KEY,
    version           integer NOT NULL DEFAULT 0,
    code              text NOT NULL DEFAULT '',
    closer_id         uuid,
    closer_code       text NOT NULL DEFAULT '',
    recipient         text NOT NULL DEFAULT '',
    phone             text NOT NULL DEFAULT '',
    province          text NOT NULL DEFAULT '',
    district          text NOT NULL DEFAULT '',
    ward              text NOT NULL DEFAULT '',
    detail            text NOT NULL DEFAULT '',
    lines             jsonb NOT NULL DEFAULT '[]',
    goods_value       bigint NOT NULL DEFAULT 0,
    cod               bigint NOT NULL DEFAULT 0 CONSTRAINT shippable_orders_cod_check CHECK (cod >= 0),
    note              text NOT NULL DEFAULT '',
    closed_at         timestamptz,
    cancelled_version integer,
    cancelled_at      timestamptz
);
COMMENT ON TABLE shippable_orders IS 'projection of orders, by highest version; version 0 = only a cancellation is known';
CREATE INDEX shippable_orders_closer_idx ON shippable_orders (closer_id);

CREATE TABLE shipments (
    id                  uuid PRIMARY KEY,
    order_id            uuid NOT NULL REFERENCES shippable_orders,
    connection_id       uuid REFERENCES carrier_connections,
    reference           text NOT NULL CONSTRAINT shipments_reference_key UNIQUE,
    waybill             text NOT NULL DEFAULT '',
    order_version       integer NOT NULL DEFAULT 0,
    status              text NOT NULL DEFAULT 'draft'
                        CONSTRAINT shipments_status_check CHECK (status IN ('draft', 'refused', 'accepted', 'picked_up',
                            'out_for_delivery', 'delivery_failed', 'delivered', 'returning', 'returned', 'lost',
                            'pickup_failed', 'cancelled')),
    status_at           timestamptz NOT NULL,
    reason_code         text NOT NULL DEFAULT '',
    refusal             text NOT NULL DEFAULT '',
    provisional_status  text,
    provisional_at      timestamptz,
    cod                 bigint NOT NULL DEFAULT 0 CONSTRAINT shipments_cod_check CHECK (cod >= 0),
    collected           bigint CONSTRAINT shipments_collected_check CHECK (collected >= 0),
    fee                 bigint NOT NULL DEFAULT 0 CONSTRAINT shipments_fee_check CHECK (fee >= 0),
    partial             boolean NOT NULL DEFAULT false,
    attention           text[] NOT NULL DEFAULT '{}',
    sequence            integer NOT NULL DEFAULT 0,
    revision            integer NOT NULL DEFAULT 1,
    seen_revision       integer NOT NULL DEFAULT 0,
    round               integer NOT NULL DEFAULT 1,
    accepted_at         timestamptz,
    handed_over_at      timestamptz,
    delivered_at        timestamptz,
    settled_at          timestamptz,
    settled_amount      bigint CONSTRAINT shipments_settled_amount_check CHECK (settled_amount >= 0),
    cancel_requested_at timestamptz,
    cancel_requested_by text NOT NULL DEFAULT '',
    cancel_reason       text NOT NULL DEFAULT '',
    cancel_sent_at      timestamptz,
    next_poll_at        timestamptz,
    claimed_until       timestamptz,
    unchanged_polls     integer NOT NULL DEFAULT 0,
    superseded_at       timestamptz,
    opened_at           timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT shipments_settled_check CHECK ((settled_at IS NULL) = (settled_amount IS NULL)),
    CONSTRAINT shipments_accepted_check CHECK (
        (waybill <> '') = (accepted_at IS NOT NULL) AND (waybill = '' OR connection_id IS NOT NULL)),
    CONSTRAINT shipments_waybill_check CHECK (
        waybill <> '' OR status IN ('draft', 'refused', 'cancelled'))
);
COMMENT ON COLUMN shipments.reference IS 'of the attempt that counts: our key against duplicates at the carrier';
COMMENT ON COLUMN shipments.revision IS 'grows with everything that its workflow has to see';
COMMENT ON COLUMN shipments.round IS 'number of its workflow: a further one after one was ended and the parcel went on';
COMMENT ON COLUMN shipments.superseded_at IS 'ended without a delivery, and the order was posted again as another shipment';
COMMENT ON COLUMN shipments.claimed_until IS 'lease of whoever asks the carrier about it now';
CREATE UNIQUE INDEX shipments_live_key ON shipments (order_id) WHERE superseded_at IS NULL;
CREATE UNIQUE INDEX shipments_waybill_key ON shipments (connection_id, waybill) WHERE waybill <> '';
CREATE INDEX shipments_poll_idx ON shipments (connection_id, next_poll_at) WHERE next_poll_at IS NOT NULL;
CREATE INDEX shipments_status_idx ON shipments (status, id);
CREATE INDEX shipments_attention_idx ON shipments (id) WHERE attention <> '{}';

CREATE TABLE creation_attempts (
    reference   text PRIMARY KEY,
    shipment_id uuid NOT NULL REFERENCES shipments,
    order_id    uuid NOT NULL,
    number      integer NOT NULL CONSTRAINT creation_attempts_number_check CHECK (number > 0),
    state       text NOT NULL DEFAULT 'reserved' CONSTRAINT creation_attempts_state_check
                CHECK (state IN ('reserved', 'unknown', 'accepted', 'refused', 'cancelled')),
    calls       integer NOT NULL DEFAULT 0,
    called_at   timestamptz,
    waybill     text NOT NULL DEFAULT '',
    CONSTRAINT creation_attempts_number_key UNIQUE (order_id, number)
);
COMMENT ON TABLE creation_attempts IS 'references, reserved before the carrier hears of them';
COMMENT ON COLUMN creation_attempts.state IS
    'reserved = never sent; unknown = sent, it may exist; cancelled = nothing alive lies there';
CREATE UNIQUE INDEX creation_attempts_accepted_key ON creation_attempts (shipment_id) WHERE state = 'accepted';
CREATE INDEX creation_attempts_shipment_idx ON creation_attempts (shipment_id, number);

CREATE TABLE timeline_entries (
    id           uuid PRIMARY KEY,
    shipment_id  uuid NOT NULL REFERENCES shipments,
    waybill      text NOT NULL,
    seen_by      text[] NOT NULL CONSTRAINT timeline_entries_seen_by_check CHECK (
                     cardinality(seen_by) > 0 AND seen_by <@ ARRAY['creation', 'callback', 'poll', 'file', 'person']),
    carrier_time timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    raw_status   text NOT NULL,
    reason_code  text NOT NULL DEFAULT '',
    reason       text NOT NULL DEFAULT '',
    status       text,
    provisional  boolean NOT NULL,
    settles      boolean NOT NULL,
    partial      boolean NOT NULL,
    collected    bigint,
    fee          bigint,
    CONSTRAINT timeline_entries_fact_key UNIQUE (shipment_id, waybill, raw_status, carrier_time, reason_code)
);
COMMENT ON COLUMN timeline_entries.seen_by IS 'sources in the order in which they told it: the first knew first';
COMMENT ON COLUMN timeline_entries.status IS 'ours; NULL = the carrier used a code that no table has';

CREATE TABLE callbacks_raw (
    id            uuid PRIMARY KEY,
    connection_id uuid NOT NULL REFERENCES carrier_connections,
    headers       json NOT NULL,
    body          bytea NOT NULL,
    received_at   timestamptz NOT NULL DEFAULT now(),
    state         text NOT NULL DEFAULT 'received'
                  CONSTRAINT callbacks_raw_state_check CHECK (state IN ('received', 'applied', 'unmatched', 'failed')),
    processed_at  timestamptz,
    error         text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN callbacks_raw.state IS 'unmatched = readable, but about no shipment of ours; failed = not readable';
CREATE INDEX callbacks_raw_received_idx ON callbacks_raw (id) WHERE state = 'received';
CREATE INDEX callbacks_raw_raised_idx ON callbacks_raw (state, id) WHERE state IN ('unmatched', 'failed');
CREATE INDEX callbacks_raw_age_idx ON callbacks_raw (received_at);
"""


def upgrade() -> None:
    create_messaging_tables()
    execute_script(SCHEMA)
