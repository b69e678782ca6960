"""Everyday use: search and lists, tags, notes, exports, consent, do-not-call list."""

from shared.migrations import execute_script

revision = "0009"
down_revision = "0008"

# Core functions only. Letters are decomposed, their marks taken away, and what is left of Vietnamese is ASCII.
SEARCH = r"""
CREATE FUNCTION plain_words(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN btrim(regexp_replace(lower(translate(normalize($1, NFKD),
    U&'\0111\0110\0300\0301\0302\0303\0306\0308\0309\030A\030C\031B\0323\0327', 'dd') COLLATE "C"), '[^a-z0-9]+', ' ', 'g'));
COMMENT ON FUNCTION plain_words IS 'the words of a text without case, accents and signs: “Số ĐIỆN-thoại” → “so dien thoai”';

CREATE FUNCTION phone_ends(text, text[]) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_to_tsvector(string_to_array('#' || replace(reverse(array_to_string($2 || $1, '#')), '#', ' #'), ' '));
COMMENT ON FUNCTION phone_ends IS 'numbers from their ends, each behind a #, so that their last digits are a prefix';

ALTER TABLE leads
    ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN asked_to_be_called boolean NOT NULL DEFAULT true,
    ADD COLUMN consent_hash bytea,
    ADD COLUMN consent_page text NOT NULL DEFAULT '',
    ADD COLUMN do_not_call boolean NOT NULL DEFAULT false,
    ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector('simple'::regconfig, plain_words(name || ' ' || note || ' ' || address))
        || phone_ends(phone, other_phones)) STORED;
COMMENT ON COLUMN leads.asked_to_be_called IS 'the person left the number (rule D38)';
COMMENT ON COLUMN leads.do_not_call IS 'a number of it is on the do-not-call list: a warning, no reason to drop it';
UPDATE leads SET changed_at = received_at;

CREATE FUNCTION lead_changed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.changed_at := now(); RETURN NEW; END $$;
CREATE TRIGGER leads_changed BEFORE UPDATE ON leads FOR EACH ROW EXECUTE FUNCTION lead_changed();
COMMENT ON TRIGGER leads_changed ON leads IS 'many parts change leads; the order “recently changed” must not depend on each';

DROP INDEX leads_source_idx;
DROP INDEX leads_campaign_idx;
DROP INDEX leads_owner_idx;
DROP INDEX leads_marketer_idx;
CREATE INDEX leads_owner_idx ON leads (owner_id, received_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX leads_marketer_idx ON leads (marketer, received_at, id) WHERE marketer <> '';
CREATE INDEX leads_created_by_idx ON leads (created_by, received_at, id) WHERE created_by IS NOT NULL;
CREATE INDEX leads_received_idx ON leads (received_at, id);
CREATE INDEX leads_changed_idx ON leads (changed_at, id);
CREATE INDEX leads_level_idx ON leads (level COLLATE "C", received_at, id);
CREATE INDEX leads_channel_idx ON leads (channel, received_at, id);
CREATE INDEX leads_source_idx ON leads (source_id, received_at, id) WHERE source_id IS NOT NULL;
CREATE INDEX leads_campaign_idx ON leads (campaign, received_at, id) WHERE campaign <> '';
CREATE INDEX leads_landing_page_idx ON leads (landing_page, received_at, id) WHERE landing_page <> '';
CREATE INDEX leads_product_idx ON leads (product, received_at, id) WHERE product <> '';
CREATE INDEX leads_unassigned_idx ON leads (received_at, id) WHERE owner_id IS NULL AND verdict = 'lead';
CREATE INDEX leads_returning_idx ON leads (received_at, id) WHERE returning_customer;
CREATE INDEX leads_spam_idx ON leads (received_at, id) WHERE spam <> '';
CREATE INDEX leads_do_not_call_idx ON leads (received_at, id) WHERE do_not_call;
CREATE INDEX leads_search_idx ON leads USING gin (search);
CREATE INDEX assignments_first_idx ON assignments (at, lead_id) WHERE assignment = 1;

CREATE TABLE lead_levels (
    lead_id    uuid NOT NULL CONSTRAINT lead_levels_lead_id_fkey REFERENCES leads,
    sequence   integer NOT NULL,
    from_level text,
    to_level   text NOT NULL,
    at         timestamptz NOT NULL,
    cause      text NOT NULL,
    actor      text NOT NULL DEFAULT '',
    PRIMARY KEY (lead_id, sequence)
);
COMMENT ON TABLE lead_levels IS 'as orders told them, for the history of a lead';
"""

TAGS = """
CREATE TABLE tag_groups (
    id       uuid PRIMARY KEY,
    object   text NOT NULL CONSTRAINT tag_groups_object_check CHECK (object IN ('lead', 'customer')),
    name     text NOT NULL,
    key      text NOT NULL,
    position integer NOT NULL DEFAULT 100,
    version  integer NOT NULL DEFAULT 1,
    CONSTRAINT tag_groups_name_key UNIQUE (object, key)
);
COMMENT ON COLUMN tag_groups.object IS 'lead = đơn: a lead and its order have the same tags (rule D45)';
COMMENT ON COLUMN tag_groups.key IS 'the name without case, accents and signs';

CREATE TABLE tags (
    id          uuid PRIMARY KEY,
    group_id    uuid NOT NULL CONSTRAINT tags_group_id_fkey REFERENCES tag_groups,
    name        text NOT NULL,
    key         text NOT NULL,
    colour      text NOT NULL,
    position    integer NOT NULL DEFAULT 100,
    retired_at  timestamptz,
    merged_into uuid CONSTRAINT tags_merged_into_fkey REFERENCES tags,
    version     integer NOT NULL DEFAULT 1,
    CONSTRAINT tags_merged_check CHECK (merged_into IS NULL OR (retired_at IS NOT NULL AND merged_into <> id))
);
CREATE UNIQUE INDEX tags_name_key ON tags (group_id, key) WHERE retired_at IS NULL;
CREATE INDEX tags_merged_idx ON tags (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE lead_tags (
    lead_id uuid PRIMARY KEY CONSTRAINT lead_tags_lead_id_fkey REFERENCES leads,
    tags    uuid[] NOT NULL,
    version integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE lead_tags IS 'all tags of a lead in one row: its version orders the facts that tell of them';
CREATE INDEX lead_tags_tags_idx ON lead_tags USING gin (tags);
"""

NOTES = """
CREATE TABLE lead_notes (
    id         uuid PRIMARY KEY,
    lead_id    uuid NOT NULL CONSTRAINT lead_notes_lead_id_fkey REFERENCES leads,
    at         timestamptz NOT NULL,
    by_id      uuid NOT NULL,
    by         text NOT NULL,
    text       text NOT NULL,
    changed_at timestamptz,
    version    integer NOT NULL DEFAULT 1
);
CREATE INDEX lead_notes_lead_idx ON lead_notes (lead_id, at, id);

CREATE TABLE lead_note_versions (
    note_id uuid NOT NULL CONSTRAINT lead_note_versions_note_id_fkey REFERENCES lead_notes,
    version integer NOT NULL,
    at      timestamptz NOT NULL,
    text    text NOT NULL,
    PRIMARY KEY (note_id, version)
);
COMMENT ON TABLE lead_note_versions IS 'what a note said before it was changed; nothing that was once read is lost';
"""

VIEWS = """
CREATE TABLE lead_views (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    name       text NOT NULL,
    key        text NOT NULL,
    filters    jsonb NOT NULL,
    list_order text NOT NULL,
    position   integer NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT lead_views_name_key UNIQUE (account_id, key)
);
COMMENT ON TABLE lead_views IS 'filters that people saved for themselves';
"""

EXPORTS = """
CREATE TABLE exports (
    id           uuid PRIMARY KEY,
    by_id        uuid NOT NULL,
    by           text NOT NULL,
    filters      jsonb NOT NULL,
    sees         jsonb NOT NULL,
    with_numbers boolean NOT NULL,
    language     text NOT NULL CONSTRAINT exports_language_check CHECK (language IN ('vi', 'en')),
    state        text NOT NULL DEFAULT 'running'
                 CONSTRAINT exports_state_check CHECK (state IN ('running', 'done', 'failed')),
    expected     integer NOT NULL,
    rows         integer NOT NULL DEFAULT 0,
    bytes        integer NOT NULL DEFAULT 0,
    attempts     integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    expires_at   timestamptz,
    lease_until  timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE exports IS 'who took which leads out, kept for ever; the file is kept until expires_at';
COMMENT ON COLUMN exports.sees IS 'what the person might see when asking: everything, leads without owner';
CREATE INDEX exports_by_idx ON exports (by_id, id);
CREATE INDEX exports_running_idx ON exports (id) WHERE state = 'running';
CREATE INDEX exports_expiry_idx ON exports (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE export_chunks (
    export_id uuid NOT NULL CONSTRAINT export_chunks_export_id_fkey REFERENCES exports,
    number    integer NOT NULL,
    content   bytea NOT NULL,
    PRIMARY KEY (export_id, number)
);

CREATE TABLE export_downloads (
    id        uuid PRIMARY KEY,
    export_id uuid NOT NULL CONSTRAINT export_downloads_export_id_fkey REFERENCES exports,
    at        timestamptz NOT NULL,
    by_id     uuid NOT NULL,
    by        text NOT NULL
);
CREATE INDEX export_downloads_export_idx ON export_downloads (export_id, at);
"""

CONSENT = """
CREATE TABLE consent_texts (
    hash bytea PRIMARY KEY,
    text text NOT NULL
);
COMMENT ON TABLE consent_texts IS 'what people agreed to, once for each wording; leads name it by its hash';

CREATE TABLE consents (
    id      uuid PRIMARY KEY,
    phone   text NOT NULL,
    purpose text NOT NULL
            CONSTRAINT consents_purpose_check CHECK (purpose IN ('requested_call', 'advertising_call', 'message')),
    act     text NOT NULL CONSTRAINT consents_act_check CHECK (act IN ('given', 'withdrawn')),
    at      timestamptz NOT NULL,
    how     text NOT NULL,
    channel text NOT NULL DEFAULT '',
    page    text NOT NULL DEFAULT '',
    text    text NOT NULL DEFAULT '',
    reason  text NOT NULL DEFAULT '',
    lead_id uuid,
    by_id   uuid,
    by      text NOT NULL DEFAULT ''
);
COMMENT ON TABLE consents IS 'append-only; that somebody left the number is read from the lead itself, see its columns';
CREATE INDEX consents_phone_idx ON consents (phone, at, id);

CREATE TABLE do_not_call_imports (
    id          uuid PRIMARY KEY,
    file_name   text NOT NULL,
    file_hash   bytea NOT NULL,
    source      text NOT NULL,
    kind        text NOT NULL,
    mode        text NOT NULL CONSTRAINT do_not_call_imports_mode_check CHECK (mode IN ('add', 'replace')),
    reason      text NOT NULL,
    by_id       uuid NOT NULL,
    by          text NOT NULL,
    state       text NOT NULL DEFAULT 'running'
                CONSTRAINT do_not_call_imports_state_check CHECK (state IN ('running', 'telling', 'done', 'failed')),
    row_count   integer NOT NULL,
    rows_done   integer NOT NULL DEFAULT 0,
    added       integer NOT NULL DEFAULT 0,
    known       integer NOT NULL DEFAULT 0,
    repeated    integer NOT NULL DEFAULT 0,
    rejected    integer NOT NULL DEFAULT 0,
    removed     integer NOT NULL DEFAULT 0,
    told_until  text NOT NULL DEFAULT '',
    told_from   bigint,
    problem_vi  text NOT NULL DEFAULT '',
    problem_en  text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT do_not_call_imports_file_key UNIQUE (file_hash, source, kind, mode),
    CONSTRAINT do_not_call_imports_counts_check CHECK (rows_done = added + known + repeated + rejected)
);
CREATE INDEX do_not_call_imports_running_idx ON do_not_call_imports (id) WHERE state IN ('running', 'telling');

CREATE TABLE do_not_call_files (
    import_id uuid NOT NULL CONSTRAINT do_not_call_files_import_id_fkey REFERENCES do_not_call_imports,
    number    integer NOT NULL,
    rows      text NOT NULL,
    PRIMARY KEY (import_id, number)
);
COMMENT ON TABLE do_not_call_files IS 'what stood in an uploaded list, a line a row, until all of it is on the list';

CREATE TABLE do_not_call_rejected (
    import_id uuid NOT NULL CONSTRAINT do_not_call_rejected_import_id_fkey REFERENCES do_not_call_imports,
    row_no    integer NOT NULL,
    typed     text NOT NULL,
    vi        text NOT NULL,
    en        text NOT NULL,
    PRIMARY KEY (import_id, row_no)
);

CREATE TABLE do_not_call (
    phone     text NOT NULL,
    source    text NOT NULL
              CONSTRAINT do_not_call_source_check CHECK (source IN ('customer', 'authority', 'complaint', 'import')),
    kind      text NOT NULL CONSTRAINT do_not_call_kind_check CHECK (kind IN ('all', 'calls', 'messages')),
    reason    text NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz,
    by_id     uuid,
    by        text NOT NULL DEFAULT '',
    lead_id   uuid,
    import_id uuid CONSTRAINT do_not_call_import_id_fkey REFERENCES do_not_call_imports,
    PRIMARY KEY (phone, source)
);
COMMENT ON TABLE do_not_call IS 'present entries; a number may be listed by several sources, and each takes back its own';
COMMENT ON COLUMN do_not_call.lead_id IS 'the lead whose refusal (L1.3) put it here';
CREATE INDEX do_not_call_import_idx ON do_not_call (import_id, phone) WHERE import_id IS NOT NULL;
CREATE INDEX do_not_call_since_idx ON do_not_call (since, phone, source);
CREATE INDEX do_not_call_lead_idx ON do_not_call (lead_id) WHERE lead_id IS NOT NULL;

CREATE SEQUENCE do_not_call_versions;

CREATE TABLE do_not_call_changes (
    id        uuid PRIMARY KEY,
    phone     text NOT NULL,
    source    text NOT NULL,
    act       text NOT NULL CONSTRAINT do_not_call_changes_act_check CHECK (act IN ('added', 'changed', 'removed')),
    kind      text NOT NULL,
    until     timestamptz,
    at        timestamptz NOT NULL,
    reason    text NOT NULL,
    by_id     uuid,
    by        text NOT NULL DEFAULT '',
    import_id uuid
);
COMMENT ON TABLE do_not_call_changes IS 'append-only: how the list came to be what it is';
CREATE INDEX do_not_call_changes_phone_idx ON do_not_call_changes (phone, at, id);
CREATE INDEX do_not_call_changes_import_idx ON do_not_call_changes (import_id, phone) WHERE import_id IS NOT NULL;
"""

SCRIPTS = (SEARCH, TAGS, NOTES, VIEWS, EXPORTS, CONSENT)


def upgrade() -> None:
    for script in SCRIPTS:
        execute_script(script)
