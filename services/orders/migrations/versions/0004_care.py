"""The care process and where each order stands in it."""

from importlib.resources import files

import orjson
import sqlalchemy as sa
import yaml
from alembic import op

from shared.migrations import execute_script

revision = "0004"
down_revision = "0003"

CARE = """
CREATE TABLE process_versions (
    key          text NOT NULL,
    version      integer NOT NULL,
    body         jsonb NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    published_by text NOT NULL DEFAULT '',
    PRIMARY KEY (key, version)
);
COMMENT ON TABLE process_versions IS 'immutable: a change is another version';
CREATE TRIGGER process_versions_append_only BEFORE UPDATE OR DELETE ON process_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE care (
    order_id        uuid PRIMARY KEY REFERENCES orders,
    round           integer NOT NULL DEFAULT 1,
    is_open         boolean NOT NULL DEFAULT true,
    outcome         text NOT NULL DEFAULT '',
    process         text NOT NULL,
    process_version integer NOT NULL,
    state           jsonb,
    step            text,
    sentence_vi     text NOT NULL DEFAULT '',
    sentence_en     text NOT NULL DEFAULT '',
    next_due        timestamptz,
    archived_at     timestamptz,
    version         integer NOT NULL DEFAULT 1,
    seen_version    integer NOT NULL DEFAULT 0,
    looks           integer NOT NULL DEFAULT 0,
    changed_at      timestamptz NOT NULL,
    looked_at       timestamptz,
    CONSTRAINT care_process_fkey FOREIGN KEY (process, process_version) REFERENCES process_versions (key, version)
);
COMMENT ON COLUMN care.round IS 'the workflow that follows it; care that ended and begins again has another';
COMMENT ON COLUMN care.version IS 'grows with each fact and decision; the workflow has seen seen_version';
COMMENT ON COLUMN care.looks IS 'how often the workflow looked, at looked_at for the last time';
CREATE INDEX care_open_idx ON care (order_id) WHERE is_open;
CREATE INDEX care_due_idx ON care (next_due) WHERE is_open;

CREATE TABLE care_effects (
    order_id   uuid NOT NULL REFERENCES orders,
    key        text NOT NULL,
    effect     text NOT NULL,
    cause      text NOT NULL,
    at         timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, key)
);
COMMENT ON TABLE care_effects IS 'every effect of a decision, once: the key refuses a second one';

CREATE TABLE tasks (
    id             uuid PRIMARY KEY,
    order_id       uuid NOT NULL REFERENCES orders,
    key            text NOT NULL,
    step           text NOT NULL,
    kind           text NOT NULL CONSTRAINT tasks_kind_check CHECK (kind IN ('call', 'message')),
    promise        text NOT NULL,
    name_vi        text NOT NULL,
    name_en        text NOT NULL,
    owner_id       uuid,
    team           text NOT NULL DEFAULT '',
    to_team        boolean NOT NULL DEFAULT false,
    due_at         timestamptz NOT NULL,
    deadline_at    timestamptz NOT NULL,
    opened_at      timestamptz NOT NULL,
    reminded_at    timestamptz,
    closed_at      timestamptz,
    outcome        text CONSTRAINT tasks_outcome_check CHECK (outcome IN ('done', 'cancelled')),
    cause          text NOT NULL DEFAULT '',
    interaction_id uuid REFERENCES interactions,
    CONSTRAINT tasks_key_key UNIQUE (order_id, key),
    CONSTRAINT tasks_closed_check CHECK ((closed_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX tasks_due_idx ON tasks (owner_id, due_at, id) WHERE closed_at IS NULL;
CREATE INDEX tasks_team_idx ON tasks (team, due_at, id) WHERE closed_at IS NULL;
CREATE INDEX tasks_open_idx ON tasks (order_id) WHERE closed_at IS NULL;

CREATE TABLE promises (
    id           uuid PRIMARY KEY,
    order_id     uuid NOT NULL REFERENCES orders,
    task_key     text NOT NULL,
    kind         text NOT NULL,
    owner_id     uuid,
    due_at       timestamptz NOT NULL,
    made_at      timestamptz NOT NULL,
    ended_at     timestamptz,
    outcome      text CONSTRAINT promises_outcome_check CHECK (outcome IN ('kept', 'broken', 'cancelled')),
    cause        text NOT NULL DEFAULT '',
    late_seconds integer NOT NULL DEFAULT 0 CONSTRAINT promises_late_check CHECK (late_seconds >= 0),
    CONSTRAINT promises_task_key UNIQUE (order_id, task_key),
    CONSTRAINT promises_ended_check CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
COMMENT ON TABLE promises IS 'each ends once: kept, broken or cancelled, with its cause';
CREATE INDEX promises_open_idx ON promises (due_at) WHERE ended_at IS NULL;

CREATE TABLE notices (
    id         uuid PRIMARY KEY,
    order_id   uuid NOT NULL REFERENCES orders,
    key        text NOT NULL,
    account_id uuid,
    kind       text NOT NULL CONSTRAINT notices_kind_check CHECK (kind IN ('due', 'overdue', 'no_owner')),
    task_key   text,
    at         timestamptz NOT NULL,
    CONSTRAINT notices_key_key UNIQUE (order_id, key)
);
COMMENT ON TABLE notices IS 'reminders and what managers are told; null account = whoever runs the distribution';
CREATE INDEX notices_account_idx ON notices (account_id, id);
"""


def upgrade() -> None:
    execute_script(CARE)
    seed = yaml.safe_load(files("services.orders.care.seed").joinpath("cod_standard.yaml").read_text(encoding="utf-8"))
    op.get_bind().execute(
        sa.text(
            "INSERT INTO process_versions (key, version, body, published_by) "
            "VALUES (:key, :version, CAST(:body AS jsonb), 'seed')"
        ),
        {"key": seed["key"], "version": seed["version"], "body": orjson.dumps(seed).decode()},
    )
