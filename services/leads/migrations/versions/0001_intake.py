"""Ways in, raw inbox, leads, duplicate windows; pools, backlog and the record of every decision."""

from shared.migrations import create_messaging_tables, execute_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_messaging_tables()
    execute_script(
        """
CREATE TABLE sources (
    id                 uuid PRIMARY KEY,
    name               text NOT NULL CONSTRAINT sources_name_key UNIQUE,
    channel            text NOT NULL CONSTRAINT sources_channel_check CHECK (channel IN ('landing_page', 'facebook_form',
                       'facebook_chat', 'excel', 'manual', 'hotline', 'event', 'referral', 'api')),
    campaign           text NOT NULL DEFAULT '',
    marketer           text NOT NULL DEFAULT '',
    product            text NOT NULL DEFAULT '',
    asked_to_be_called boolean NOT NULL DEFAULT true,
    consent_text       text NOT NULL DEFAULT '',
    key_hash           bytea CONSTRAINT sources_key_hash_key UNIQUE,
    active             boolean NOT NULL DEFAULT true,
    version            integer NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN sources.marketer IS 'staff code of the marketer credited (rule D22)';
COMMENT ON COLUMN sources.key_hash IS 'SHA-256 of the API key, or of the secret in a landing page''s address';

CREATE TABLE landing_pages (
    source_id uuid PRIMARY KEY CONSTRAINT landing_pages_source_id_fkey REFERENCES sources,
    url       text NOT NULL DEFAULT '',
    field_map jsonb NOT NULL DEFAULT '{}',
    utm_rules jsonb NOT NULL DEFAULT '[]'
);
COMMENT ON TABLE landing_pages IS 'what a source of channel landing_page has besides';
COMMENT ON COLUMN landing_pages.field_map IS 'name of a form field → field of a lead';
COMMENT ON COLUMN landing_pages.utm_rules IS 'list of {parameter, value, marketer}, the first that fits wins';

CREATE TABLE imports (
    id          uuid PRIMARY KEY,
    file_name   text NOT NULL,
    file_hash   bytea NOT NULL CONSTRAINT imports_file_hash_key UNIQUE,
    source_id   uuid CONSTRAINT imports_source_id_fkey REFERENCES sources,
    uploaded_by uuid NOT NULL,
    uploader    text NOT NULL,
    marketer    text NOT NULL,
    asked       boolean NOT NULL,
    sheet       text NOT NULL,
    columns     jsonb NOT NULL,
    row_count   integer NOT NULL,
    rows_done   integer NOT NULL DEFAULT 0,
    leads       integer NOT NULL DEFAULT 0,
    duplicates  integer NOT NULL DEFAULT 0,
    rejected    integer NOT NULL DEFAULT 0,
    state       text NOT NULL DEFAULT 'running'
                CONSTRAINT imports_state_check CHECK (state IN ('running', 'done', 'failed')),
    problem_vi  text NOT NULL DEFAULT '',
    problem_en  text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT imports_counts_check CHECK (rows_done = leads + duplicates + rejected)
);
COMMENT ON COLUMN imports.created_at IS 'when the file reached us: the arrival of all its rows (rule D9)';
COMMENT ON COLUMN imports.asked IS 'the people on the list left their numbers themselves (rule D38)';
COMMENT ON COLUMN imports.columns IS 'list of [label, field or null] in the order of the sheet';
COMMENT ON COLUMN imports.lease_until IS 'until then the process that works on it has it to itself';
CREATE INDEX imports_running_idx ON imports (id) WHERE state = 'running';

CREATE TABLE import_files (
    import_id uuid PRIMARY KEY CONSTRAINT import_files_import_id_fkey REFERENCES imports,
    content   bytea NOT NULL
);
COMMENT ON TABLE import_files IS 'the upload as it came, until every row of it is in raw_items';

CREATE TABLE raw_items (
    id           uuid PRIMARY KEY,
    channel      text NOT NULL,
    source_id    uuid CONSTRAINT raw_items_source_id_fkey REFERENCES sources,
    received_at  timestamptz NOT NULL,
    content_type text NOT NULL,
    body         bytea NOT NULL,
    import_id    uuid CONSTRAINT raw_items_import_id_fkey REFERENCES imports,
    row_no       integer,
    verdict      text NOT NULL
                 CONSTRAINT raw_items_verdict_check CHECK (verdict IN ('lead', 'duplicate', 'rejected')),
    reason       text NOT NULL DEFAULT '',
    reason_vi    text NOT NULL DEFAULT '',
    reason_en    text NOT NULL DEFAULT '',
    created_by   uuid,
    CONSTRAINT raw_items_row_key UNIQUE (import_id, row_no),
    CONSTRAINT raw_items_row_check CHECK ((import_id IS NULL) = (row_no IS NULL)),
    CONSTRAINT raw_items_reason_check CHECK ((verdict = 'rejected') = (reason <> ''))
);
COMMENT ON TABLE raw_items IS 'everything that reached us, as it came; a lead or duplicate has the id of its raw item';
COMMENT ON COLUMN raw_items.row_no IS 'Excel''s row number; with the import, which is one a file hash, no row counts twice';
CREATE INDEX raw_items_rejected_idx ON raw_items (id) WHERE verdict = 'rejected';

CREATE TABLE pools (
    id            uuid PRIMARY KEY,
    name          text NOT NULL CONSTRAINT pools_name_key UNIQUE,
    position      integer NOT NULL,
    channels      text[] NOT NULL DEFAULT '{}',
    products      text[] NOT NULL DEFAULT '{}',
    landing_pages text[] NOT NULL DEFAULT '{}',
    sticky        boolean NOT NULL DEFAULT true,
    active        boolean NOT NULL DEFAULT true,
    rounds        bigint NOT NULL DEFAULT 0,
    version       integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE pools IS 'a lead goes to the first pool, by position, whose rules fit; an empty list fits everything';
COMMENT ON COLUMN pools.rounds IS 'sequence of the last round; this row''s lock makes the decisions of a pool serial';
COMMENT ON COLUMN pools.sticky IS 'a returning customer goes to the last owner if eligible (rule D24)';

CREATE TABLE pool_members (
    pool_id    uuid NOT NULL CONSTRAINT pool_members_pool_id_fkey REFERENCES pools,
    account_id uuid NOT NULL,
    weight     integer NOT NULL CONSTRAINT pool_members_weight_check CHECK (weight BETWEEN 1 AND 1000),
    capacity   integer CONSTRAINT pool_members_capacity_check CHECK (capacity >= 0),
    credit     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (pool_id, account_id)
);
COMMENT ON COLUMN pool_members.capacity IS 'leads in care that this person holds at most; null = no bound';
COMMENT ON COLUMN pool_members.credit IS 'share not yet received, in 10^-12 of a lead';
CREATE INDEX pool_members_account_idx ON pool_members (account_id);

CREATE TABLE leads (
    id                 uuid PRIMARY KEY CONSTRAINT leads_id_fkey REFERENCES raw_items,
    verdict            text NOT NULL CONSTRAINT leads_verdict_check CHECK (verdict IN ('lead', 'duplicate')),
    anchor_id          uuid CONSTRAINT leads_anchor_id_fkey REFERENCES leads,
    phone              text NOT NULL,
    other_phones       text[] NOT NULL,
    phone_typed        text NOT NULL,
    name               text NOT NULL,
    product            text NOT NULL,
    note               text NOT NULL,
    address            text NOT NULL,
    source_id          uuid CONSTRAINT leads_source_id_fkey REFERENCES sources,
    channel            text NOT NULL,
    campaign           text NOT NULL,
    landing_page       text NOT NULL,
    marketer           text NOT NULL,
    received_at        timestamptz NOT NULL,
    returning_customer boolean NOT NULL,
    level              text NOT NULL,
    level_sequence     integer NOT NULL DEFAULT 0,
    in_care            boolean NOT NULL,
    owner_id           uuid,
    assignment         integer NOT NULL DEFAULT 0,
    pool_id            uuid CONSTRAINT leads_pool_id_fkey REFERENCES pools,
    created_by         uuid,
    CONSTRAINT leads_anchor_check CHECK ((verdict = 'duplicate') = (anchor_id IS NOT NULL)),
    CONSTRAINT leads_owner_check CHECK (owner_id IS NULL OR (verdict = 'lead' AND assignment > 0))
);
COMMENT ON COLUMN leads.id IS 'also the id of the order, and of the raw item';
COMMENT ON COLUMN leads.level IS 'as orders told last; level_sequence is the position of that transition';
COMMENT ON COLUMN leads.in_care IS 'still to be called and closed (L1, not final): what a person''s capacity counts';
COMMENT ON COLUMN leads.assignment IS 'grows by one with each assignment or release';
CREATE INDEX leads_phone_idx ON leads (phone, id);
CREATE INDEX leads_other_phones_idx ON leads USING gin (other_phones) WHERE other_phones <> '{}';
CREATE INDEX leads_owner_idx ON leads (owner_id, id) WHERE owner_id IS NOT NULL;
CREATE INDEX leads_load_idx ON leads (owner_id) WHERE in_care AND owner_id IS NOT NULL;
CREATE INDEX leads_anchor_idx ON leads (anchor_id) WHERE anchor_id IS NOT NULL;
CREATE INDEX leads_marketer_idx ON leads (marketer, id) WHERE marketer <> '';

CREATE TABLE duplicate_windows (
    phone       text PRIMARY KEY,
    anchor_id   uuid CONSTRAINT duplicate_windows_anchor_id_fkey REFERENCES leads,
    opened_at   timestamptz,
    closes_at   timestamptz,
    ended       boolean NOT NULL DEFAULT false,
    handed_over boolean NOT NULL DEFAULT false,
    CONSTRAINT duplicate_windows_anchor_check
        CHECK ((anchor_id IS NULL) = (opened_at IS NULL) AND (anchor_id IS NULL) = (closes_at IS NULL))
);
COMMENT ON TABLE duplicate_windows IS 'one row a number: its lock decides which of many arrivals is the lead';
COMMENT ON COLUMN duplicate_windows.anchor_id IS 'the lead that opened the last window; null = the number never had one';
COMMENT ON COLUMN duplicate_windows.closes_at IS 'exclusive; never prolonged (rule D9)';
COMMENT ON COLUMN duplicate_windows.ended IS 'before its time, because the anchor was sent or ended';
COMMENT ON COLUMN duplicate_windows.handed_over IS 'something was once handed over to this number: a returning customer';
CREATE INDEX duplicate_windows_anchor_idx ON duplicate_windows (anchor_id);

CREATE TABLE distribution_rounds (
    pool_id  uuid NOT NULL CONSTRAINT distribution_rounds_pool_id_fkey REFERENCES pools,
    sequence bigint NOT NULL,
    at       timestamptz NOT NULL,
    members  jsonb NOT NULL,
    PRIMARY KEY (pool_id, sequence)
);
COMMENT ON TABLE distribution_rounds IS 'whom a pool could choose from at the start of a round, enough to decide again';
COMMENT ON COLUMN distribution_rounds.members IS 'list of [account, weight, credit, standing, load, capacity]';

CREATE TABLE assignments (
    lead_id           uuid NOT NULL CONSTRAINT assignments_lead_id_fkey REFERENCES leads,
    assignment        integer NOT NULL,
    owner_id          uuid,
    previous_owner_id uuid,
    cause             text NOT NULL,
    at                timestamptz NOT NULL,
    by                text NOT NULL DEFAULT '',
    reason            text NOT NULL DEFAULT '',
    pool_id           uuid,
    round             bigint,
    position          integer,
    sticky_id         uuid,
    excluded          uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (lead_id, assignment),
    CONSTRAINT assignments_round_fkey FOREIGN KEY (pool_id, round) REFERENCES distribution_rounds,
    CONSTRAINT assignments_round_check CHECK ((round IS NULL) = (position IS NULL) AND (round IS NULL) = (pool_id IS NULL)),
    CONSTRAINT assignments_position_key UNIQUE (pool_id, round, position)
);
COMMENT ON TABLE assignments IS 'append-only: who got a lead, when and why; without owner it is a release';
COMMENT ON COLUMN assignments.sticky_id IS 'the last owner of the number, who was asked first';

CREATE TABLE backlog (
    lead_id     uuid PRIMARY KEY CONSTRAINT backlog_lead_id_fkey REFERENCES leads,
    pool_id     uuid CONSTRAINT backlog_pool_id_fkey REFERENCES pools,
    received_at timestamptz NOT NULL,
    cause       text NOT NULL CONSTRAINT backlog_cause_check CHECK (cause IN ('distribution', 'reassignment')),
    sticky_id   uuid,
    excluded    uuid[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE backlog IS 'leads that wait for somebody, oldest arrival first; without a pool, for one whose rules fit';
CREATE INDEX backlog_order_idx ON backlog (pool_id, received_at, lead_id);

CREATE TABLE reassignment_requests (
    lead_id    uuid NOT NULL,
    assignment integer NOT NULL,
    target     text NOT NULL CONSTRAINT reassignment_requests_target_check CHECK (target IN ('another', 'floating_pool')),
    reason     text NOT NULL,
    PRIMARY KEY (lead_id, assignment)
);
COMMENT ON TABLE reassignment_requests IS 'asked for by care, until the distributor has decided';
"""
    )
