"""Interactions of every kind, telephone and message systems, notes between colleagues, hand-overs."""

from shared.migrations import execute_script

revision = "0012"
down_revision = "0011"

STREAMS = """
CREATE TABLE stream_tickets (
    ticket_hash bytea PRIMARY KEY,
    principal   jsonb NOT NULL,
    topics      text[] NOT NULL,
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE stream_tickets IS
    'what opens a stream of server-sent events, once, instead of a header that browsers cannot send';
"""

INTERACTIONS = """
ALTER TABLE interactions
    ADD COLUMN channel text NOT NULL DEFAULT ''
        CONSTRAINT interactions_channel_check CHECK (channel IN ('', 'zalo', 'sms', 'facebook', 'other')),
    ADD COLUMN contact text NOT NULL DEFAULT '',
    ADD COLUMN source text NOT NULL DEFAULT 'person'
        CONSTRAINT interactions_source_check CHECK (source IN ('person', 'telephone', 'messages')),
    ADD COLUMN reference text NOT NULL DEFAULT '';
COMMENT ON COLUMN interactions.channel IS 'of a message';
COMMENT ON COLUMN interactions.contact IS 'with whom, if not with the customer: the wife, the neighbour';
COMMENT ON COLUMN interactions.source IS 'who told it: a person, a telephone system, a mail or message system';
COMMENT ON COLUMN interactions.reference IS 'its id in the system it comes from; the same one twice is one interaction';
CREATE UNIQUE INDEX interactions_reference_key ON interactions (order_id, kind, reference) WHERE reference <> '';
CREATE INDEX interactions_sent_idx ON interactions (reference) WHERE reference <> '' AND kind IN ('message', 'email');
CREATE OR REPLACE VIEW standing_interactions AS SELECT * FROM interactions i
WHERE NOT EXISTS (SELECT 1 FROM undo_points u WHERE u.interaction_id = i.id AND u.undone_at IS NOT NULL);

CREATE TABLE message_systems (
    id            uuid PRIMARY KEY,
    name          text NOT NULL CONSTRAINT message_systems_name_key UNIQUE,
    kind          text NOT NULL CONSTRAINT message_systems_kind_check CHECK (kind IN ('email', 'message')),
    secret_hash   bytea NOT NULL CONSTRAINT message_systems_secret_key UNIQUE,
    secret_number integer NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE message_systems IS 'mail and message systems that tell what became of what we sent';

CREATE TABLE delivery_facts (
    system_id   uuid NOT NULL REFERENCES message_systems,
    event_id    text NOT NULL,
    reference   text NOT NULL,
    fact        text NOT NULL CONSTRAINT delivery_facts_fact_check
                CHECK (fact IN ('sent', 'delivered', 'read', 'opened', 'answered', 'failed')),
    at          timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    note        text NOT NULL DEFAULT '',
    told        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (system_id, event_id)
);
COMMENT ON TABLE delivery_facts IS 'in any order, also before we know what they are about; the reference says that';
COMMENT ON COLUMN delivery_facts.told IS 'an answer has become an incoming interaction of its order';
CREATE INDEX delivery_facts_reference_idx ON delivery_facts (reference, at);
CREATE INDEX delivery_facts_untold_idx ON delivery_facts (reference) WHERE fact = 'answered' AND NOT told;
"""

TELEPHONE = """
CREATE TABLE telephone_systems (
    id            uuid PRIMARY KEY,
    name          text NOT NULL CONSTRAINT telephone_systems_name_key UNIQUE,
    format        text NOT NULL,
    zone          text NOT NULL,
    causes        jsonb NOT NULL DEFAULT '{}',
    click_to_call jsonb,
    credentials   bytea,
    enabled       boolean NOT NULL DEFAULT true,
    secret_hash   bytea NOT NULL CONSTRAINT telephone_systems_secret_key UNIQUE,
    secret_number integer NOT NULL DEFAULT 1,
    version       integer NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN telephone_systems.format IS 'how its events are read';
COMMENT ON COLUMN telephone_systems.zone IS 'of its times that name none';
COMMENT ON COLUMN telephone_systems.causes IS 'what its end causes mean, where it differs from the usual';
COMMENT ON COLUMN telephone_systems.click_to_call IS 'the request that starts a call, with placeholders';
COMMENT ON COLUMN telephone_systems.credentials IS 'placeholders that are secret, encrypted';

CREATE TABLE telephone_extensions (
    system_id  uuid NOT NULL REFERENCES telephone_systems ON DELETE CASCADE,
    extension  text NOT NULL,
    account_id uuid NOT NULL,
    PRIMARY KEY (system_id, extension)
);
CREATE INDEX telephone_extensions_account_idx ON telephone_extensions (account_id);

CREATE TABLE telephone_raw (
    id           uuid PRIMARY KEY,
    system_id    uuid NOT NULL REFERENCES telephone_systems,
    content_type text NOT NULL DEFAULT '',
    body         bytea NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT now(),
    state        text NOT NULL DEFAULT 'received' CONSTRAINT telephone_raw_state_check
                 CHECK (state IN ('received', 'applied', 'ignored', 'failed')),
    error        text NOT NULL DEFAULT '',
    processed_at timestamptz
);
COMMENT ON TABLE telephone_raw IS 'what telephone systems sent, as it came; durable before it is answered';
CREATE INDEX telephone_raw_waiting_idx ON telephone_raw (id) WHERE state = 'received';
CREATE INDEX telephone_raw_failed_idx ON telephone_raw (id) WHERE state = 'failed';

CREATE TABLE telephone_calls (
    id             uuid PRIMARY KEY,
    system_id      uuid NOT NULL REFERENCES telephone_systems,
    call_id        text NOT NULL,
    request_id     uuid,
    direction      text CONSTRAINT telephone_calls_direction_check CHECK (direction IN ('out', 'in')),
    phone          text NOT NULL DEFAULT '',
    extension      text NOT NULL DEFAULT '',
    account_id     uuid,
    started_at     timestamptz,
    answered_at    timestamptz,
    ended_at       timestamptz,
    cause          text NOT NULL DEFAULT '',
    talk_seconds   integer NOT NULL DEFAULT 0,
    recording      text NOT NULL DEFAULT '',
    order_id       uuid REFERENCES orders ON DELETE SET NULL,
    interaction_id uuid REFERENCES interactions,
    state          text NOT NULL DEFAULT 'going' CONSTRAINT telephone_calls_state_check
                   CHECK (state IN ('going', 'waiting', 'logged', 'unknown', 'handled', 'nothing')),
    owes_id        uuid,
    revision       integer NOT NULL DEFAULT 0,
    changed        boolean NOT NULL DEFAULT true,
    changed_at     timestamptz NOT NULL DEFAULT now(),
    attempts       integer NOT NULL DEFAULT 0,
    error          text NOT NULL DEFAULT '',
    handled_at     timestamptz,
    handled_by     text NOT NULL DEFAULT '',
    handled_how    text NOT NULL DEFAULT '',
    lead_id        uuid,
    CONSTRAINT telephone_calls_call_key UNIQUE (system_id, call_id)
);
COMMENT ON COLUMN telephone_calls.call_id IS 'of the telephone system';
COMMENT ON COLUMN telephone_calls.state IS
    'going, waiting for its result, logged (the interaction), unknown number, handled, nothing to do about it';
COMMENT ON COLUMN telephone_calls.owes_id IS 'who has to log its result; null = whoever comes to hold the order';
COMMENT ON COLUMN telephone_calls.revision IS 'grows with each change that others are told of';
COMMENT ON COLUMN telephone_calls.changed IS 'events came that were not looked at yet';
CREATE INDEX telephone_calls_changed_idx ON telephone_calls (changed_at) WHERE changed;
CREATE INDEX telephone_calls_owes_idx ON telephone_calls (owes_id, id) WHERE state = 'waiting';
CREATE INDEX telephone_calls_unknown_idx ON telephone_calls (id) WHERE state = 'unknown';
CREATE INDEX telephone_calls_order_idx ON telephone_calls (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX telephone_calls_phone_idx ON telephone_calls (phone, started_at);
CREATE INDEX telephone_calls_going_idx ON telephone_calls (account_id) WHERE state = 'going';
CREATE UNIQUE INDEX telephone_calls_interaction_key ON telephone_calls (interaction_id) WHERE interaction_id IS NOT NULL;

CREATE TABLE telephone_events (
    system_id   uuid NOT NULL,
    call_id     text NOT NULL,
    digest      bytea NOT NULL,
    event       jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (system_id, call_id, digest),
    CONSTRAINT telephone_events_call_fkey FOREIGN KEY (system_id, call_id)
        REFERENCES telephone_calls (system_id, call_id)
);
COMMENT ON TABLE telephone_events IS 'each event of a call once, in any order; a call is what follows from all of them';

CREATE TABLE call_requests (
    id           uuid PRIMARY KEY,
    system_id    uuid NOT NULL REFERENCES telephone_systems,
    order_id     uuid NOT NULL REFERENCES orders ON DELETE CASCADE,
    account_id   uuid NOT NULL,
    extension    text NOT NULL,
    phone        text NOT NULL,
    requested_at timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'asked' CONSTRAINT call_requests_state_check
                 CHECK (state IN ('asked', 'accepted', 'refused', 'unanswered')),
    status_code  integer,
    call_id      text NOT NULL DEFAULT '',
    error        text NOT NULL DEFAULT '',
    answered_at  timestamptz,
    idempotency_key text
);
COMMENT ON TABLE call_requests IS 'click to call: what was asked of a telephone system, and what it said';
COMMENT ON COLUMN call_requests.state IS 'unanswered: nobody knows whether the call was made; its events will tell';
CREATE INDEX call_requests_order_idx ON call_requests (order_id, id);
CREATE INDEX call_requests_account_idx ON call_requests (account_id, requested_at);
CREATE UNIQUE INDEX call_requests_key ON call_requests (account_id, order_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX call_requests_call_idx ON call_requests (system_id, call_id) WHERE call_id <> '';
"""

NOTES = """
CREATE TABLE notes (
    id          uuid PRIMARY KEY,
    order_id    uuid NOT NULL REFERENCES orders,
    author_id   uuid NOT NULL,
    author_code text NOT NULL,
    text        text NOT NULL CONSTRAINT notes_text_check CHECK (text <> ''),
    at          timestamptz NOT NULL,
    answers_id  uuid REFERENCES notes,
    version     integer NOT NULL DEFAULT 1,
    edited_at   timestamptz
);
COMMENT ON COLUMN notes.answers_id IS 'the note that it answers';
CREATE INDEX notes_order_idx ON notes (order_id, id);

CREATE TABLE note_versions (
    note_id uuid NOT NULL REFERENCES notes,
    version integer NOT NULL,
    text    text NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (note_id, version)
);
CREATE TRIGGER note_versions_append_only BEFORE UPDATE OR DELETE ON note_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE note_mentions (
    id          uuid PRIMARY KEY,
    note_id     uuid NOT NULL REFERENCES notes,
    order_id    uuid NOT NULL REFERENCES orders,
    account_id  uuid NOT NULL,
    code        text NOT NULL,
    asker_id    uuid NOT NULL,
    promise_id  uuid REFERENCES promises,
    answer_id   uuid REFERENCES notes,
    withdrawn_at timestamptz,
    withdrawn_reason text NOT NULL DEFAULT '',
    read_at     timestamptz,
    told_at     timestamptz,
    CONSTRAINT note_mentions_account_key UNIQUE (note_id, code)
);
COMMENT ON COLUMN note_mentions.account_id IS 'who was mentioned, or took their place at a hand-over';
COMMENT ON COLUMN note_mentions.asker_id IS 'who waits for the answer: the author, or who took their place';
COMMENT ON COLUMN note_mentions.promise_id IS 'the answer that is owed; null where none was asked for';
COMMENT ON COLUMN note_mentions.told_at IS 'when the asker read the answer';
CREATE INDEX note_mentions_account_idx ON note_mentions (account_id, id);
CREATE INDEX note_mentions_unread_idx ON note_mentions (account_id) WHERE read_at IS NULL;
CREATE INDEX note_mentions_asker_idx ON note_mentions (asker_id, id) WHERE promise_id IS NOT NULL;
CREATE INDEX note_mentions_order_idx ON note_mentions (order_id, account_id);
CREATE UNIQUE INDEX note_mentions_promise_key ON note_mentions (promise_id) WHERE promise_id IS NOT NULL;

CREATE TABLE hand_overs (
    order_id   uuid NOT NULL REFERENCES orders ON DELETE CASCADE,
    assignment integer NOT NULL,
    from_id    uuid,
    to_id      uuid,
    from_code  text NOT NULL DEFAULT '',
    to_code    text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL,
    tasks      integer NOT NULL,
    promises   integer NOT NULL,
    notes      integer NOT NULL,
    calls      integer NOT NULL,
    PRIMARY KEY (order_id, assignment)
);
COMMENT ON TABLE hand_overs IS 'what went from one holder of an order to the next, once an assignment';
"""


def upgrade() -> None:
    for script in (STREAMS, INTERACTIONS, TELEPHONE, NOTES):
        execute_script(script)
