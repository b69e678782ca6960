"""Failed deliveries, and what the carrier was asked to do about them."""

from shared.migrations import execute_script

revision = "0008"
down_revision = "0007"

SCHEMA = """
ALTER TABLE shippable_orders ADD COLUMN owner_id uuid, ADD COLUMN assignment integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN shippable_orders.owner_id IS 'who holds it since it was closed, if somebody else than the closer does';
CREATE INDEX shippable_orders_owner_idx ON shippable_orders (owner_id) WHERE owner_id IS NOT NULL;

CREATE TABLE rescues (
    id           uuid PRIMARY KEY,
    shipment_id  uuid NOT NULL REFERENCES shipments,
    order_id     uuid NOT NULL,
    sequence     integer NOT NULL,
    step         text NOT NULL,
    state        text NOT NULL CONSTRAINT rescues_state_check CHECK (state IN ('open', 'asked', 'closed')),
    turn         integer NOT NULL CONSTRAINT rescues_turn_check CHECK (turn >= 0),
    attempt      integer NOT NULL CONSTRAINT rescues_attempt_check CHECK (attempt > 0),
    failed_at    timestamptz NOT NULL,
    held_since   timestamptz,
    reason_code  text NOT NULL,
    reason_vi    text NOT NULL,
    reason_en    text NOT NULL,
    told         text NOT NULL,
    cut_off_at   timestamptz NOT NULL,
    decide_by    timestamptz NOT NULL,
    outcome      text NOT NULL DEFAULT '',
    closed_at    timestamptz,
    saved        boolean NOT NULL DEFAULT false,
    known_at     timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    CONSTRAINT rescues_failure_key UNIQUE (shipment_id, failed_at),
    CONSTRAINT rescues_decide_check CHECK (decide_by <= cut_off_at),
    CONSTRAINT rescues_closed_check CHECK ((state = 'closed') = (closed_at IS NOT NULL) AND (outcome = '' OR state = 'closed'))
);
COMMENT ON TABLE rescues IS 'one for each failed delivery of a parcel, by the carrier''s time of it';
COMMENT ON COLUMN rescues.turn IS 'how many-th time somebody has to decide; 0 = it was over when it became known';
COMMENT ON COLUMN rescues.held_since IS 'the carrier waits for the shop since then';
COMMENT ON COLUMN rescues.told IS 'what the carrier wrote beside its codes; for people with permission only';
COMMENT ON COLUMN rescues.outcome IS 'how the parcel went on, up to its end';
CREATE UNIQUE INDEX rescues_present_key ON rescues (shipment_id) WHERE state <> 'closed';
CREATE INDEX rescues_due_idx ON rescues (decide_by, id) WHERE state = 'open';
CREATE INDEX rescues_order_idx ON rescues (order_id);

CREATE TABLE rescue_requests (
    id           uuid PRIMARY KEY,
    rescue_id    uuid NOT NULL REFERENCES rescues,
    shipment_id  uuid NOT NULL REFERENCES shipments,
    number       integer NOT NULL,
    wish         text NOT NULL CONSTRAINT rescue_requests_wish_check
                 CHECK (wish IN ('deliver_again', 'change_recipient', 'send_back', 'customer_refuses')),
    day          date,
    note         text NOT NULL,
    change       jsonb,
    before       jsonb,
    by_hand      boolean NOT NULL,
    by_id        uuid NOT NULL,
    by_code      text NOT NULL,
    asked_at     timestamptz NOT NULL,
    state        text NOT NULL CONSTRAINT rescue_requests_state_check
                 CHECK (state IN ('requested', 'accepted', 'refused', 'confirmed', 'expired', 'replaced')),
    calls        integer NOT NULL DEFAULT 0,
    in_doubt     boolean NOT NULL DEFAULT false,
    changed_at   timestamptz,
    answered_at  timestamptz,
    answer       text NOT NULL DEFAULT '',
    ended_at     timestamptz,
    CONSTRAINT rescue_requests_number_key UNIQUE (rescue_id, number),
    CONSTRAINT rescue_requests_change_check CHECK ((wish = 'change_recipient') = (change IS NOT NULL)),
    CONSTRAINT rescue_requests_ended_check CHECK ((state IN ('requested', 'accepted')) = (ended_at IS NULL))
);
COMMENT ON TABLE rescue_requests IS 'written before the carrier hears of it, so that it hears of it once';
COMMENT ON COLUMN rescue_requests.change IS 'phone, name, address as they are to be; before = as they were';
COMMENT ON COLUMN rescue_requests.by_hand IS 'told by telephone or on the carrier''s site, because it has no call for it';
COMMENT ON COLUMN rescue_requests.in_doubt IS 'called, and no answer came: it is looked up before it is repeated';
COMMENT ON COLUMN rescue_requests.changed_at IS 'when the carrier took the new phone or address';
COMMENT ON COLUMN rescue_requests.answer IS 'the carrier''s own sentence where it refused';
CREATE UNIQUE INDEX rescue_requests_open_key ON rescue_requests (rescue_id) WHERE ended_at IS NULL;
CREATE INDEX rescue_requests_unsent_idx ON rescue_requests (shipment_id) WHERE state = 'requested';
"""


def upgrade() -> None:
    execute_script(SCHEMA)
