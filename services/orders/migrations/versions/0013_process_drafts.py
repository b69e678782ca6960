"""Drafts of the care process, how one is chosen, and moves of running care."""

from importlib.resources import files

import orjson
import sqlalchemy as sa
import yaml
from alembic import op

from shared.migrations import execute_script

revision = "0013"
down_revision = "0012"

KEY = "cod_standard"
VERSION = 3
"""The seed with the reason of every step, which the editor shows."""

PROCESSES = """
CREATE TABLE processes (
    key            text PRIMARY KEY CONSTRAINT processes_key_check CHECK (key ~ '^[a-z][a-z0-9_]{1,39}$'),
    created_at     timestamptz NOT NULL DEFAULT now(),
    retired_at     timestamptz,
    retired_by     text NOT NULL DEFAULT '',
    retired_reason text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN processes.retired_at IS 'no care begins with it any more; care that runs goes on';
INSERT INTO processes (key) SELECT DISTINCT key FROM process_versions;
ALTER TABLE process_versions
    ALTER COLUMN body TYPE json,
    ADD COLUMN note text NOT NULL DEFAULT '',
    ADD COLUMN based_on integer,
    ADD COLUMN published_by_id uuid,
    ADD CONSTRAINT process_versions_key_fkey FOREIGN KEY (key) REFERENCES processes;
COMMENT ON COLUMN process_versions.body IS 'json, not jsonb: steps and results are shown in the order in which they were written';
COMMENT ON COLUMN process_versions.based_on IS 'the version from which its draft began; null: from nothing, or a seed';
"""

DRAFTS = """
CREATE TABLE process_drafts (
    id              uuid PRIMARY KEY,
    key             text NOT NULL CONSTRAINT process_drafts_key_check CHECK (key ~ '^[a-z][a-z0-9_]{1,39}$'),
    based_on        integer,
    body            json NOT NULL,
    version         integer NOT NULL DEFAULT 1,
    state           text NOT NULL DEFAULT 'open'
                    CONSTRAINT process_drafts_state_check CHECK (state IN ('open', 'published', 'discarded')),
    created_at      timestamptz NOT NULL,
    created_by_id   uuid,
    created_by      text NOT NULL,
    changed_at      timestamptz NOT NULL,
    changed_by      text NOT NULL,
    published_as    integer,
    CONSTRAINT process_drafts_published_check CHECK ((state = 'published') = (published_as IS NOT NULL)),
    CONSTRAINT process_drafts_published_key UNIQUE (key, published_as)
);
COMMENT ON COLUMN process_drafts.version IS 'grows with each save';
CREATE INDEX process_drafts_key_idx ON process_drafts (key, id);

CREATE TABLE process_draft_saves (
    draft_id uuid NOT NULL REFERENCES process_drafts,
    version  integer NOT NULL,
    body     json NOT NULL,
    what     text NOT NULL,
    at       timestamptz NOT NULL,
    by_id    uuid,
    by_code  text NOT NULL,
    PRIMARY KEY (draft_id, version)
);
COMMENT ON COLUMN process_draft_saves.what IS 'created, saved, or the step that was edited or removed';
CREATE TRIGGER process_draft_saves_append_only BEFORE UPDATE OR DELETE ON process_draft_saves
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

CHOICE = """
CREATE TABLE process_choices (
    version  integer PRIMARY KEY,
    fallback text NOT NULL REFERENCES processes,
    at       timestamptz NOT NULL DEFAULT now(),
    by_id    uuid,
    by_code  text NOT NULL DEFAULT ''
);
COMMENT ON TABLE process_choices IS 'which process the care of an order begins with; the highest version holds';
CREATE TABLE process_choice_rules (
    version       integer NOT NULL REFERENCES process_choices,
    position      integer NOT NULL,
    name          text NOT NULL,
    process       text NOT NULL REFERENCES processes,
    products      text[] NOT NULL,
    product_likes text[] NOT NULL,
    channels      text[] NOT NULL,
    campaigns     text[] NOT NULL,
    landing_pages text[] NOT NULL,
    tags          uuid[] NOT NULL,
    PRIMARY KEY (version, position)
);
COMMENT ON TABLE process_choice_rules IS 'in order: the first that fits wins; an empty condition fits everything';
COMMENT ON COLUMN process_choice_rules.product_likes IS 'products as LIKE patterns in lower case';
INSERT INTO process_choices (version, fallback) VALUES (1, 'cod_standard');
CREATE TRIGGER process_choices_append_only BEFORE UPDATE OR DELETE ON process_choices
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER process_choice_rules_append_only BEFORE UPDATE OR DELETE ON process_choice_rules
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE care
    ADD COLUMN chosen_by text NOT NULL DEFAULT '',
    ADD COLUMN moved_at timestamptz;
COMMENT ON COLUMN care.chosen_by IS 'the rule that chose the process; empty: the default';
COMMENT ON COLUMN care.moved_at IS 'when it last went over to another version of the process';
"""

MOVES = """
CREATE TABLE process_moves (
    id            uuid PRIMARY KEY,
    process       text NOT NULL,
    to_version    integer NOT NULL,
    selection     json NOT NULL,
    steps         json NOT NULL,
    per_minute    integer NOT NULL CONSTRAINT process_moves_per_minute_check CHECK (per_minute > 0),
    reason        text NOT NULL,
    state         text NOT NULL DEFAULT 'previewing' CONSTRAINT process_moves_state_check
                  CHECK (state IN ('previewing', 'previewed', 'moving', 'done', 'cancelled')),
    round         integer NOT NULL DEFAULT 1,
    total         integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    created_by_id uuid,
    created_by    text NOT NULL,
    started_at    timestamptz,
    started_by    text NOT NULL DEFAULT '',
    ended_at      timestamptz,
    cancelled_by  text NOT NULL DEFAULT '',
    CONSTRAINT process_moves_version_fkey FOREIGN KEY (process, to_version) REFERENCES process_versions (key, version)
);
COMMENT ON COLUMN process_moves.round IS 'the workflow that carries it out: process-move/{id}, process-move/{id}/2 …';
CREATE INDEX process_moves_process_idx ON process_moves (process, id);

CREATE TABLE process_move_cares (
    move_id     uuid NOT NULL REFERENCES process_moves,
    order_id    uuid NOT NULL,
    code        text NOT NULL,
    owner_code  text NOT NULL,
    state       text NOT NULL DEFAULT 'selected' CONSTRAINT process_move_cares_state_check
                CHECK (state IN ('selected', 'previewed', 'moved', 'left', 'failed')),
    change      text NOT NULL DEFAULT '',
    found_by    text NOT NULL DEFAULT '',
    before      json,
    after       json,
    error       text NOT NULL DEFAULT '',
    not_before  timestamptz,
    decided_at  timestamptz,
    PRIMARY KEY (move_id, order_id)
);
COMMENT ON TABLE process_move_cares IS 'each care that a move concerns, once, with what became of it';
COMMENT ON COLUMN process_move_cares.not_before IS 'it was not at a safe point; tried again from then on';
COMMENT ON COLUMN process_move_cares.order_id IS 'no foreign key: the order of an import that is undone goes away';
CREATE INDEX process_move_cares_change_idx ON process_move_cares (move_id, change, order_id);
CREATE INDEX process_move_cares_moved_idx ON process_move_cares (order_id) WHERE state = 'moved';
CREATE INDEX process_move_cares_state_idx ON process_move_cares (move_id, state, order_id);
"""


PUBLISH = sa.text(
    "INSERT INTO process_versions (key, version, body, published_by, note) "
    "SELECT CAST(:key AS text), CAST(:version AS integer), CAST(:body AS json), 'seed', :note "
    "WHERE NOT EXISTS (SELECT 1 FROM process_versions WHERE key = :key AND version >= :version)"
)
# A fresh installation has this version from 0004 already, but through jsonb, which forgets in which order things stood.
IN_ORDER = sa.text(
    "UPDATE process_versions SET body = CAST(:body AS json), note = :note "
    "WHERE key = :key AND version = :version AND published_by = 'seed'"
)


def upgrade() -> None:
    for script in (PROCESSES, DRAFTS, CHOICE, MOVES):
        execute_script(script)
    seed = yaml.safe_load(files("services.orders.care.seed").joinpath("cod_standard.yaml").read_text(encoding="utf-8"))
    values = {"key": KEY, "version": VERSION, "body": orjson.dumps(seed).decode(), "note": "Lý do của từng bước"}
    op.execute("ALTER TABLE process_versions DISABLE TRIGGER process_versions_append_only")
    op.get_bind().execute(IN_ORDER, values)
    op.execute("ALTER TABLE process_versions ENABLE TRIGGER process_versions_append_only")
    # A company that published versions of its own goes on with the latest of them.
    op.get_bind().execute(PUBLISH, values)
