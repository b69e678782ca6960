"""Due lists, snoozes, escalations that are acknowledged, promises of colleagues, and the daily proof of the promises."""

from shared.migrations import execute_script

revision = "0015"
down_revision = "0014"

TASKS = """
ALTER TABLE tasks
    DROP CONSTRAINT tasks_kind_check,
    ADD CONSTRAINT tasks_kind_check CHECK (kind IN ('call', 'message', 'answer')),
    ADD COLUMN origin text NOT NULL DEFAULT 'care' CONSTRAINT tasks_origin_check CHECK (origin IN ('care', 'note')),
    ADD COLUMN subject_id uuid,
    ADD COLUMN asked_by_id uuid,
    ADD COLUMN snoozed_until timestamptz,
    ADD COLUMN snoozes smallint NOT NULL DEFAULT 0,
    ADD COLUMN shown_at timestamptz NOT NULL GENERATED ALWAYS AS (coalesce(snoozed_until, due_at)) STORED,
    ADD COLUMN priority smallint NOT NULL GENERATED ALWAYS AS (CASE promise
        WHEN 'rescue' THEN 10 WHEN 'callback' THEN 20 WHEN 'first_call' THEN 30 WHEN 'retry' THEN 40
        WHEN 'answer' THEN 50 WHEN 'message' THEN 60 WHEN 'follow_up' THEN 70 ELSE 80 END) STORED,
    ADD COLUMN claimed_by_id uuid,
    ADD COLUMN claimed_at timestamptz,
    ADD CONSTRAINT tasks_snoozed_check CHECK (snoozed_until IS NULL OR snoozed_until BETWEEN due_at AND deadline_at),
    ADD CONSTRAINT tasks_claimed_check CHECK ((claimed_by_id IS NULL) = (claimed_at IS NULL)),
    ADD CONSTRAINT tasks_subject_check CHECK ((origin = 'care') = (subject_id IS NULL));
COMMENT ON COLUMN tasks.origin IS 'care = opened and closed by the care process alone; note = somebody asked a colleague';
COMMENT ON COLUMN tasks.subject_id IS 'what it is about, if it is not of the care process: the note';
COMMENT ON COLUMN tasks.shown_at IS 'where it stands on the due list: when it is due, or snoozed until';
COMMENT ON COLUMN tasks.priority IS 'which of several that are due comes first; the reasons are in promises/priority.py';
COMMENT ON COLUMN tasks.claimed_by_id IS 'who took it when it was open to the team';
DROP INDEX tasks_due_idx;
DROP INDEX tasks_team_idx;
CREATE INDEX tasks_shown_idx ON tasks (owner_id, shown_at, priority, id) INCLUDE (deadline_at) WHERE closed_at IS NULL;
CREATE INDEX tasks_team_idx ON tasks (team, shown_at, priority, id) WHERE closed_at IS NULL;
CREATE INDEX tasks_to_team_idx ON tasks (team, order_id) WHERE closed_at IS NULL AND to_team;
CREATE INDEX tasks_claimed_idx ON tasks (claimed_by_id, order_id) WHERE claimed_by_id IS NOT NULL;
CREATE INDEX tasks_asked_of_idx ON tasks (owner_id, order_id) WHERE closed_at IS NULL AND origin <> 'care';
CREATE INDEX tasks_asked_idx ON tasks (due_at) WHERE closed_at IS NULL AND origin <> 'care' AND reminded_at IS NULL;

CREATE TABLE task_snoozes (
    id       uuid PRIMARY KEY,
    task_id  uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    by_id    uuid NOT NULL,
    by_code  text NOT NULL,
    at       timestamptz NOT NULL,
    until    timestamptz NOT NULL,
    reason   text NOT NULL
);
CREATE INDEX task_snoozes_task_idx ON task_snoozes (task_id);
CREATE INDEX task_snoozes_by_idx ON task_snoozes (by_id, at);
"""

PROMISES = """
ALTER TABLE promises
    ADD COLUMN deadline_at timestamptz,
    ADD COLUMN kept_by_id uuid,
    ADD COLUMN kept_by text NOT NULL DEFAULT '';
UPDATE promises p SET deadline_at = coalesce(
    (SELECT greatest(t.deadline_at, p.due_at) FROM tasks t WHERE t.order_id = p.order_id AND t.key = p.task_key), due_at);
ALTER TABLE promises
    ALTER COLUMN deadline_at SET NOT NULL,
    ADD CONSTRAINT promises_deadline_check CHECK (deadline_at >= due_at),
    ADD CONSTRAINT promises_cause_check CHECK (outcome IS NULL OR cause <> ''),
    ADD CONSTRAINT promises_made_good_check CHECK (made_good_at IS NULL OR outcome IS NOT DISTINCT FROM 'broken');
COMMENT ON COLUMN promises.deadline_at IS 'after it the promise is broken';
COMMENT ON COLUMN promises.kept_by_id IS 'who met it, in time or later; not always who owed it';
DROP INDEX promises_open_idx;
CREATE INDEX promises_open_idx ON promises (deadline_at) WHERE ended_at IS NULL;
CREATE INDEX promises_owner_idx ON promises (owner_id, due_at, id);
CREATE INDEX promises_due_idx ON promises (due_at, id);

CREATE FUNCTION promise_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (NEW.outcome, NEW.ended_at, NEW.cause) IS DISTINCT FROM (OLD.outcome, OLD.ended_at, OLD.cause)
    THEN RAISE EXCEPTION 'a promise ends once' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END
$$;
CREATE TRIGGER promises_end_once BEFORE UPDATE ON promises FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL)
    EXECUTE FUNCTION promise_ends_once();

CREATE FUNCTION task_ends_with_its_promise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM promises WHERE order_id = NEW.order_id AND task_key = NEW.key AND ended_at IS NULL)
    THEN RAISE EXCEPTION 'the promise of a closed task is open'
        USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NULL; END
$$;
CREATE CONSTRAINT TRIGGER tasks_end_with_promise AFTER UPDATE OF closed_at ON tasks DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.closed_at IS NOT NULL) EXECUTE FUNCTION task_ends_with_its_promise();
"""

NOTICES = """
ALTER TABLE notices
    DROP CONSTRAINT notices_kind_check,
    ADD CONSTRAINT notices_kind_check CHECK (
        kind IN ('due', 'overdue', 'no_owner', 'given', 'taken_away', 'claimed', 'asked', 'taking_limit')),
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by_id uuid,
    ADD COLUMN acknowledged_by text NOT NULL DEFAULT '',
    ADD COLUMN remark text NOT NULL DEFAULT '';
COMMENT ON COLUMN notices.acknowledged_at IS 'when whoever was told said that they know';
CREATE INDEX notices_unowned_idx ON notices (id) WHERE account_id IS NULL;
"""

TAKINGS = """
CREATE TABLE duty_stretches (
    account_id uuid PRIMARY KEY,
    version    integer NOT NULL,
    began_at   timestamptz NOT NULL
);
COMMENT ON TABLE duty_stretches IS 'since when somebody is on duty, from the last switch that staff told of';
CREATE TABLE takings (
    account_id uuid NOT NULL,
    began_at   timestamptz NOT NULL,
    taken      integer NOT NULL CONSTRAINT takings_taken_check CHECK (taken > 0),
    stopped_at timestamptz,
    PRIMARY KEY (account_id, began_at)
);
COMMENT ON TABLE takings IS 'untouched numbers taken away from somebody in a stretch of duty; at the limit it ends';
"""

PROOF = """
CREATE TABLE promise_proofs (
    day               date PRIMARY KEY,
    made_at           timestamptz NOT NULL,
    open_promises     integer NOT NULL,
    without_timer     integer NOT NULL,
    open_without_task integer NOT NULL,
    without_workflow  integer,
    orders_in_care    integer NOT NULL
);
COMMENT ON TABLE promise_proofs IS 'one a day: that no promise was dropped. The second to fourth figure must be 0';
COMMENT ON COLUMN promise_proofs.without_workflow IS 'null: Temporal could not be asked';
CREATE TABLE promise_proof_findings (
    day        date NOT NULL REFERENCES promise_proofs ON DELETE CASCADE,
    number     integer NOT NULL,
    kind       text NOT NULL CONSTRAINT promise_proof_findings_kind_check
               CHECK (kind IN ('without_timer', 'open_without_task', 'without_workflow')),
    order_id   uuid NOT NULL,
    promise_id uuid,
    since      timestamptz,
    PRIMARY KEY (day, number)
);
"""


def upgrade() -> None:
    for script in (TASKS, PROMISES, NOTICES, TAKINGS, PROOF):
        execute_script(script)
