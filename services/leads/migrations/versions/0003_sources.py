"""Ways in: what sources, landing pages and the raw inbox have besides."""

from shared.migrations import execute_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE raw_items
    ADD COLUMN fields jsonb,
    ADD COLUMN origin jsonb,
    ADD COLUMN digits text NOT NULL DEFAULT '',
    ADD COLUMN remote_ip text NOT NULL DEFAULT '',
    DROP CONSTRAINT raw_items_verdict_check,
    ADD CONSTRAINT raw_items_verdict_check CHECK (verdict IN ('lead', 'duplicate', 'rejected', 'dismissed')),
    DROP CONSTRAINT raw_items_reason_check,
    ADD CONSTRAINT raw_items_reason_check CHECK ((verdict IN ('rejected', 'dismissed')) = (reason <> '')),
    ADD CONSTRAINT raw_items_fields_check CHECK (verdict IN ('rejected', 'dismissed') OR (fields IS NULL AND origin IS NULL));
COMMENT ON COLUMN raw_items.fields IS 'of what is no lead: the texts that were read from the body, for who corrects them';
COMMENT ON COLUMN raw_items.origin IS 'of what is no lead: marketer, campaign and consent as they were when it arrived';
COMMENT ON COLUMN raw_items.digits IS 'of what is no lead: the digits typed as its number, to find it by them';
COMMENT ON COLUMN raw_items.remote_ip IS 'address that a form was sent from';

DROP INDEX raw_items_rejected_idx;
CREATE INDEX raw_items_rejected_idx ON raw_items (received_at, id) WHERE verdict = 'rejected';
CREATE INDEX raw_items_received_idx ON raw_items (received_at, id);
CREATE INDEX raw_items_source_idx ON raw_items (source_id, received_at) INCLUDE (verdict, reason) WHERE source_id IS NOT NULL;
CREATE INDEX raw_items_digits_idx ON raw_items (digits text_pattern_ops) WHERE digits <> '';
CREATE INDEX leads_source_idx ON leads (source_id, received_at) WHERE source_id IS NOT NULL;

CREATE TABLE raw_corrections (
    id          uuid PRIMARY KEY,
    raw_item_id uuid NOT NULL,
    at          timestamptz NOT NULL,
    by_id       uuid,
    by          text NOT NULL,
    kind        text NOT NULL CONSTRAINT raw_corrections_kind_check CHECK (kind IN ('corrected', 'dismissed', 'replayed')),
    before      jsonb NOT NULL,
    after       jsonb NOT NULL,
    verdict     text NOT NULL,
    was         text NOT NULL,
    reason      text NOT NULL
);
COMMENT ON TABLE raw_corrections IS 'append-only: who settled a rejected item, and how; outlives what an import''s undo removes';
COMMENT ON COLUMN raw_corrections.before IS 'the fields that changed, as they were read; null = it had none';
COMMENT ON COLUMN raw_corrections.was IS 'the code of the rejection until then';
COMMENT ON COLUMN raw_corrections.reason IS 'in the words of who did it';
CREATE INDEX raw_corrections_item_idx ON raw_corrections (raw_item_id, id);

CREATE TABLE raw_replays (
    id          uuid PRIMARY KEY,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    source_id   uuid CONSTRAINT raw_replays_source_id_fkey REFERENCES sources,
    dry_run     boolean NOT NULL,
    by_id       uuid NOT NULL,
    by          text NOT NULL,
    created_at  timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'running'
                CONSTRAINT raw_replays_state_check CHECK (state IN ('running', 'done', 'cancelled')),
    at_time     timestamptz NOT NULL DEFAULT '-infinity',
    at_id       uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    total       integer NOT NULL,
    read        integer NOT NULL DEFAULT 0,
    leads       integer NOT NULL DEFAULT 0,
    duplicates  integer NOT NULL DEFAULT 0,
    rejected    jsonb NOT NULL DEFAULT '{}',
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    finished_at timestamptz,
    CONSTRAINT raw_replays_range_check CHECK (since < until)
);
COMMENT ON TABLE raw_replays IS 'rejected items of a time range that are read again; goes on behind (at_time, at_id)';
COMMENT ON COLUMN raw_replays.total IS 'rejected items of the range when it was asked for';
COMMENT ON COLUMN raw_replays.rejected IS 'reason → how many stay rejected for it';
CREATE INDEX raw_replays_running_idx ON raw_replays (id) WHERE state = 'running';

CREATE TABLE external_ids (
    sender      text NOT NULL,
    external_id text NOT NULL,
    raw_item_id uuid NOT NULL,
    PRIMARY KEY (sender, external_id)
);
COMMENT ON TABLE external_ids IS 'the id that a sender has for an item: for good, one id of one sender is one lead';
COMMENT ON COLUMN external_ids.raw_item_id IS 'its first item; of a rejected first, the one that came after it';

CREATE TABLE campaigns (
    id           uuid PRIMARY KEY,
    code         text NOT NULL CONSTRAINT campaigns_code_key UNIQUE,
    name         text NOT NULL,
    starts_on    date,
    ends_on      date,
    budget       bigint CONSTRAINT campaigns_budget_check CHECK (budget >= 0),
    cost_per_day bigint CONSTRAINT campaigns_cost_per_day_check CHECK (cost_per_day >= 0),
    active       boolean NOT NULL DEFAULT true,
    version      integer NOT NULL DEFAULT 1,
    CONSTRAINT campaigns_period_check CHECK (starts_on <= ends_on)
);
COMMENT ON COLUMN campaigns.code IS 'what leads carry: the campaign of a source, or utm_campaign of a page''s address';
COMMENT ON COLUMN campaigns.budget IS 'đồng, for the whole period';
COMMENT ON COLUMN campaigns.cost_per_day IS 'đồng';
CREATE INDEX leads_campaign_idx ON leads (campaign, received_at) WHERE campaign <> '';
"""
    )
