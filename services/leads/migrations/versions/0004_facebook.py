"""Facebook: pages, forms, leads that were announced, conversations."""

from shared.migrations import execute_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    execute_script(
        """
CREATE TABLE facebook_pages (
    id                  uuid PRIMARY KEY,
    page_id             text NOT NULL CONSTRAINT facebook_pages_page_id_key UNIQUE,
    app_id              text NOT NULL,
    name                text NOT NULL,
    credentials         bytea NOT NULL,
    hook_secret_number  integer NOT NULL DEFAULT 1,
    hook_secret_hash    bytea NOT NULL CONSTRAINT facebook_pages_hash_key UNIQUE,
    form_source_id      uuid CONSTRAINT facebook_pages_form_source_fkey REFERENCES sources,
    chat_source_id      uuid CONSTRAINT facebook_pages_chat_source_fkey REFERENCES sources,
    active              boolean NOT NULL DEFAULT true,
    version             integer NOT NULL DEFAULT 1,
    round               integer NOT NULL DEFAULT 1,
    problem             text NOT NULL DEFAULT '' CONSTRAINT facebook_pages_problem_check
                        CHECK (problem IN ('', 'token_invalid', 'not_allowed', 'rate_limited', 'away', 'credentials')),
    problem_detail      text NOT NULL DEFAULT '',
    problem_since       timestamptz,
    failures            integer NOT NULL DEFAULT 0,
    paused_until        timestamptz NOT NULL DEFAULT 'epoch',
    poll_at             timestamptz NOT NULL DEFAULT 'epoch',
    subscription_at     timestamptz NOT NULL DEFAULT 'epoch',
    subscribed          boolean NOT NULL DEFAULT false,
    hears_chats         boolean NOT NULL DEFAULT false,
    subscription_problem text NOT NULL DEFAULT '',
    resubscribed        integer NOT NULL DEFAULT 0,
    resubscribed_at     timestamptz,
    reads               integer NOT NULL DEFAULT 0,
    reads_since         timestamptz NOT NULL DEFAULT 'epoch',
    wrong_signatures    bigint NOT NULL DEFAULT 0,
    wrong_signature_at  timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT facebook_pages_problem_since_check CHECK ((problem = '') = (problem_since IS NULL))
);
COMMENT ON COLUMN facebook_pages.page_id IS 'Facebook''s id; ours is id';
COMMENT ON COLUMN facebook_pages.credentials IS 'app secret and page access token, sealed with a key outside the database';
COMMENT ON COLUMN facebook_pages.hook_secret_hash IS 'SHA-256 of the secret in the webhook''s address';
COMMENT ON COLUMN facebook_pages.form_source_id IS 'source of leads of forms that have none of their own';
COMMENT ON COLUMN facebook_pages.round IS 'which workflow follows the page: facebook/…, facebook/…/2, …';
COMMENT ON COLUMN facebook_pages.failures IS 'rounds in a row that failed and achieved nothing: the pause grows with them';
COMMENT ON COLUMN facebook_pages.reads IS 'calls since reads_since, a day at most: Facebook bounds them by the leads of 90 days';

CREATE TABLE facebook_forms (
    page_id      uuid NOT NULL CONSTRAINT facebook_forms_page_fkey REFERENCES facebook_pages,
    form_id      text NOT NULL,
    name         text NOT NULL DEFAULT '',
    status       text NOT NULL DEFAULT '',
    source_id    uuid CONSTRAINT facebook_forms_source_fkey REFERENCES sources,
    product      text NOT NULL DEFAULT '',
    marketer     text NOT NULL DEFAULT '',
    consent_text text NOT NULL DEFAULT '',
    field_map    jsonb NOT NULL DEFAULT '{}',
    version      integer NOT NULL DEFAULT 1,
    leads_count  integer NOT NULL DEFAULT 0,
    unreadable   integer,
    high         timestamptz,
    swept_at     timestamptz,
    swept_count  integer NOT NULL DEFAULT 0,
    full_at      timestamptz,
    sweep_full   boolean NOT NULL DEFAULT false,
    sweep_since  timestamptz,
    sweep_after  text,
    sweep_high   timestamptz,
    sweep_count  integer,
    gap          integer NOT NULL DEFAULT 0,
    gap_since    timestamptz,
    problem      text NOT NULL DEFAULT '',
    PRIMARY KEY (page_id, form_id)
);
COMMENT ON COLUMN facebook_forms.leads_count IS 'how many leads Facebook says the form ever had';
COMMENT ON COLUMN facebook_forms.unreadable IS
    'of those, how many the first reading to the end did not show: Facebook forgets leads after 90 days';
COMMENT ON COLUMN facebook_forms.high IS 'highest created_time of a reading that went to the end; the next begins before it';
COMMENT ON COLUMN facebook_forms.sweep_count IS 'of the reading under way: leads_count when it began; null = none is under way';
COMMENT ON COLUMN facebook_forms.gap IS 'leads that Facebook counts and that a full reading did not show';

CREATE TABLE facebook_leads (
    leadgen_id   text PRIMARY KEY,
    page_id      uuid NOT NULL CONSTRAINT facebook_leads_page_fkey REFERENCES facebook_pages,
    form_id      text NOT NULL,
    item_id      uuid NOT NULL CONSTRAINT facebook_leads_item_key UNIQUE,
    received_at  timestamptz NOT NULL,
    pushed_at    timestamptz,
    polled_at    timestamptz,
    created_time timestamptz,
    ad_id        text NOT NULL DEFAULT '',
    adset_id     text NOT NULL DEFAULT '',
    campaign_id  text NOT NULL DEFAULT '',
    state        text NOT NULL DEFAULT 'pending'
                 CONSTRAINT facebook_leads_state_check CHECK (state IN ('pending', 'fetched', 'failed')),
    reason       text NOT NULL DEFAULT '',
    attempts     integer NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL DEFAULT 'epoch',
    fetched_at   timestamptz,
    CONSTRAINT facebook_leads_fetched_check CHECK ((state = 'fetched') = (fetched_at IS NOT NULL)),
    CONSTRAINT facebook_leads_seen_check CHECK (pushed_at IS NOT NULL OR polled_at IS NOT NULL)
);
COMMENT ON TABLE facebook_leads IS 'each lead that Facebook ever told of, once, whoever told it first';
COMMENT ON COLUMN facebook_leads.item_id IS 'id of its raw item and lead, chosen when it was first seen';
COMMENT ON COLUMN facebook_leads.received_at IS 'when a push or a poll first showed it';
CREATE INDEX facebook_leads_pending_idx ON facebook_leads (page_id, next_try_at) WHERE state = 'pending';
CREATE INDEX facebook_leads_failed_idx ON facebook_leads (page_id, item_id) WHERE state = 'failed';
CREATE INDEX facebook_leads_form_idx ON facebook_leads (page_id, form_id);
CREATE INDEX facebook_leads_page_idx ON facebook_leads (page_id, received_at);

CREATE TABLE facebook_hooks (
    id          uuid PRIMARY KEY,
    page_id     uuid NOT NULL CONSTRAINT facebook_hooks_page_fkey REFERENCES facebook_pages,
    received_at timestamptz NOT NULL,
    body        bytea NOT NULL,
    state       text NOT NULL DEFAULT 'received'
                CONSTRAINT facebook_hooks_state_check CHECK (state IN ('received', 'applied', 'unreadable', 'failed')),
    error       text NOT NULL DEFAULT ''
);
COMMENT ON TABLE facebook_hooks IS 'what was pushed with a right signature, as it came; applied ones go after 30 days';
COMMENT ON COLUMN facebook_hooks.page_id IS 'the page whose address was called; the body may be about other pages of its app';
CREATE INDEX facebook_hooks_received_idx ON facebook_hooks (id) WHERE state = 'received';
CREATE INDEX facebook_hooks_raised_idx ON facebook_hooks (id) WHERE state IN ('unreadable', 'failed');

CREATE TABLE facebook_conversations (
    page_id  uuid NOT NULL CONSTRAINT facebook_conversations_page_fkey REFERENCES facebook_pages,
    psid     text NOT NULL,
    order_id uuid CONSTRAINT facebook_conversations_order_fkey REFERENCES leads,
    ad_id    text NOT NULL DEFAULT '',
    PRIMARY KEY (page_id, psid)
);
COMMENT ON COLUMN facebook_conversations.psid IS 'the customer, as this page knows them';
COMMENT ON COLUMN facebook_conversations.order_id IS 'the lead that the conversation led to last, for a duplicate its anchor';
COMMENT ON COLUMN facebook_conversations.ad_id IS 'the advertisement that the conversation began with';

CREATE TABLE facebook_messages (
    mid         text PRIMARY KEY,
    id          uuid NOT NULL CONSTRAINT facebook_messages_id_key UNIQUE,
    page_id     uuid NOT NULL,
    psid        text NOT NULL,
    at          timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    text        text NOT NULL,
    attachments text[] NOT NULL DEFAULT '{}',
    body        bytea NOT NULL,
    state       text NOT NULL DEFAULT 'received'
                CONSTRAINT facebook_messages_state_check CHECK (state IN ('received', 'waiting', 'attached', 'lead', 'rejected')),
    order_id    uuid,
    CONSTRAINT facebook_messages_conversation_fkey FOREIGN KEY (page_id, psid) REFERENCES facebook_conversations,
    CONSTRAINT facebook_messages_order_check CHECK ((state IN ('attached', 'lead')) = (order_id IS NOT NULL))
);
COMMENT ON COLUMN facebook_messages.id IS 'of the interaction; of raw item and lead, if the number came with this message';
COMMENT ON COLUMN facebook_messages.state IS
    'waiting: for a number to come in the conversation; rejected: kept, a mistake of ours stood in the way';
CREATE INDEX facebook_messages_received_idx ON facebook_messages (id) WHERE state = 'received';
CREATE INDEX facebook_messages_waiting_idx ON facebook_messages (page_id, psid) WHERE state = 'waiting';
"""
    )
