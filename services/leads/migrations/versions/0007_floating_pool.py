"""The floating pool: claims, viewing locks, views; transfers by hand; alarms of numbers that wait; revealed numbers."""

from shared.migrations import execute_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    execute_script(
        """
ALTER TABLE leads
    ADD COLUMN floating_since timestamptz,
    ADD COLUMN archived_at    timestamptz,
    ADD COLUMN ended_at       timestamptz,
    ADD CONSTRAINT leads_floating_check CHECK (floating_since IS NULL OR owner_id IS NULL),
    ADD CONSTRAINT leads_archived_check CHECK (archived_at IS NULL OR floating_since IS NOT NULL);
COMMENT ON COLUMN leads.floating_since IS 'in the floating pool since then (rule D14); the release is its assignment row';
COMMENT ON COLUMN leads.archived_at IS 'nobody claimed it in time; kept apart until somebody is given it by hand';
COMMENT ON COLUMN leads.ended_at IS 'when orders told a final level; null while the order is open (rule D26)';
CREATE INDEX leads_floating_idx ON leads (floating_since, id) WHERE floating_since IS NOT NULL AND archived_at IS NULL;

ALTER TABLE backlog
    DROP CONSTRAINT backlog_cause_check,
    ADD CONSTRAINT backlog_cause_check CHECK (cause IN ('distribution', 'reassignment', 'hand_over')),
    ADD COLUMN since     timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN raised_at timestamptz;
COMMENT ON COLUMN backlog.since IS 'when it began to wait here; a new number has waited since its arrival (rule D39)';
COMMENT ON COLUMN backlog.raised_at IS 'when the managers were told that this new number has no owner (rule D7)';
CREATE INDEX backlog_alarm_idx ON backlog (received_at) WHERE raised_at IS NULL AND cause = 'distribution';

CREATE TABLE viewing_locks (
    lead_id    uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    code       text NOT NULL,
    since      timestamptz NOT NULL,
    until      timestamptz NOT NULL
);
COMMENT ON TABLE viewing_locks IS 'who looks at a number of the floating pool: one at a time; over at `until` by itself';

CREATE TABLE floating_views (
    id         uuid PRIMARY KEY,
    lead_id    uuid NOT NULL,
    account_id uuid NOT NULL,
    code       text NOT NULL,
    at         timestamptz NOT NULL
);
COMMENT ON TABLE floating_views IS 'append-only: everybody who opened a number of the floating pool';
CREATE INDEX floating_views_lead_idx ON floating_views (lead_id, id);
CREATE INDEX floating_views_account_idx ON floating_views (account_id, id);

CREATE TABLE claims (
    lead_id    uuid NOT NULL,
    assignment integer NOT NULL,
    account_id uuid NOT NULL,
    claimed_at timestamptz NOT NULL,
    called_at  timestamptz,
    PRIMARY KEY (lead_id, assignment)
);
COMMENT ON TABLE claims IS 'numbers taken from the floating pool; limits of rule D40 are counted here';
COMMENT ON COLUMN claims.called_at IS 'first call about it since, as orders told';
CREATE INDEX claims_account_idx ON claims (account_id, claimed_at);
CREATE INDEX claims_uncalled_idx ON claims (account_id) WHERE called_at IS NULL;

CREATE TABLE phone_reveals (
    id         uuid PRIMARY KEY,
    lead_id    uuid NOT NULL,
    account_id uuid NOT NULL,
    code       text NOT NULL,
    at         timestamptz NOT NULL,
    basis      text NOT NULL CONSTRAINT phone_reveals_basis_check CHECK (basis IN ('owner', 'permission')),
    reason     text NOT NULL
);
COMMENT ON TABLE phone_reveals IS 'append-only: who was shown a masked number, and why (rule D26)';
CREATE INDEX phone_reveals_lead_idx ON phone_reveals (lead_id, id);
CREATE INDEX phone_reveals_account_idx ON phone_reveals (account_id, id);

CREATE TABLE transfers (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CONSTRAINT transfers_kind_check CHECK (kind IN ('distribution', 'hand_over')),
    strategy    text NOT NULL CONSTRAINT transfers_strategy_check CHECK (strategy IN ('people', 'pools')),
    from_id     uuid,
    by_id       uuid NOT NULL,
    by          text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    people      jsonb NOT NULL,
    made_at     timestamptz NOT NULL,
    good_until  timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'preview'
                CONSTRAINT transfers_state_check CHECK (state IN ('preview', 'running', 'done', 'cancelled')),
    row_count   integer NOT NULL,
    rows_done   integer NOT NULL DEFAULT 0,
    finished_at timestamptz,
    CONSTRAINT transfers_from_check CHECK ((kind = 'hand_over') = (from_id IS NOT NULL)),
    CONSTRAINT transfers_rows_check CHECK (rows_done BETWEEN 0 AND row_count)
);
COMMENT ON TABLE transfers IS 'leads given to people by hand, many at once: planned, confirmed, done in batches';
COMMENT ON COLUMN transfers.people IS 'list of [account, code, count or null] in the order given: the plan is made of it';
COMMENT ON COLUMN transfers.good_until IS 'a preview can be confirmed until then';
COMMENT ON COLUMN transfers.rows_done IS 'rows before this position have a result';
CREATE INDEX transfers_running_idx ON transfers (id) WHERE state = 'running';

CREATE TABLE transfer_rows (
    transfer_id uuid NOT NULL CONSTRAINT transfer_rows_transfer_id_fkey REFERENCES transfers ON DELETE CASCADE,
    position    integer NOT NULL,
    lead_id     uuid NOT NULL,
    assignment  integer NOT NULL,
    to_id       uuid,
    result      text CONSTRAINT transfer_rows_result_check
                CHECK (result IN ('given', 'kept', 'waiting', 'changed', 'inactive', 'gone')),
    owner_id    uuid,
    PRIMARY KEY (transfer_id, position),
    CONSTRAINT transfer_rows_lead_key UNIQUE (transfer_id, lead_id)
);
COMMENT ON COLUMN transfer_rows.assignment IS 'of the lead when the plan was made: a lead that moved on since is left alone';
COMMENT ON COLUMN transfer_rows.to_id IS 'who is to get it; null = whom the rules of its pool choose';
COMMENT ON COLUMN transfer_rows.owner_id IS 'who got it';
"""
    )
