"""When colleagues are there (shifts, duty, leaving), with what was before; moves of running care on the timeline."""

from shared.migrations import execute_script

revision = "0018"
down_revision = "0017"

SHIFTS = """
CREATE TABLE shift_plans (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL CONSTRAINT shift_plans_digest_key UNIQUE,
    plan   jsonb NOT NULL
);
COMMENT ON TABLE shift_plans IS 'append-only: the shifts and holidays of people, kept once for all who share them';

CREATE TABLE staff_shifts (
    account_id uuid NOT NULL,
    version    integer NOT NULL,
    plan_id    bigint CONSTRAINT staff_shifts_plan_id_fkey REFERENCES shift_plans,
    at         timestamptz NOT NULL,
    PRIMARY KEY (account_id, version)
);
COMMENT ON TABLE staff_shifts IS 'projection of the staff service; the highest version counts, those before are for what-if runs';
COMMENT ON COLUMN staff_shifts.plan_id IS 'null, or no row at all = no shifts, at work in all calling hours';

CREATE TABLE staff_presence (
    account_id uuid NOT NULL,
    what       text NOT NULL CONSTRAINT staff_presence_what_check CHECK (what IN ('duty', 'account')),
    version    integer NOT NULL,
    here       boolean NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (account_id, what, version)
);
COMMENT ON TABLE staff_presence IS 'when people were on duty, and worked here: for what-if runs; the present is in staff_members';
CREATE INDEX staff_presence_at_idx ON staff_presence (account_id, at);
INSERT INTO staff_presence (account_id, what, version, here, at)
SELECT account_id, 'duty', duty_version, on_duty, now() FROM staff_members WHERE duty_version > 0
UNION ALL SELECT account_id, 'account', version, active, now() FROM staff_members WHERE version > 0;
"""

MOVES = """
CREATE TABLE care_moves (
    id           uuid PRIMARY KEY,
    order_id     uuid NOT NULL REFERENCES orders ON DELETE CASCADE,
    move_id      uuid,
    at           timestamptz NOT NULL,
    from_process text NOT NULL,
    from_version integer,
    to_process   text NOT NULL,
    to_version   integer NOT NULL,
    from_step    text NOT NULL DEFAULT '',
    to_step      text NOT NULL DEFAULT '',
    by_code      text NOT NULL,
    reason       text NOT NULL,
    CONSTRAINT care_moves_once_key UNIQUE (order_id, move_id)
);
COMMENT ON TABLE care_moves IS 'that a care went over to another version of its process, and why: a part of the timeline';
COMMENT ON COLUMN care_moves.move_id IS 'null: a rule of choice did it';
COMMENT ON COLUMN care_moves.from_version IS 'null: moved before this was kept';
CREATE INDEX care_moves_order_idx ON care_moves (order_id);
INSERT INTO care_moves (id, order_id, move_id, at, from_process, from_version, to_process, to_version, from_step, to_step,
    by_code, reason)
SELECT gen_random_uuid(), c.order_id, m.id, c.decided_at, coalesce(m.selection ->> 'process', m.process), NULL, m.process,
    m.to_version, coalesce(c.before ->> 'step', ''), coalesce(c.after ->> 'step', ''), m.started_by, m.reason
FROM process_move_cares c JOIN process_moves m ON m.id = c.move_id
WHERE c.state = 'moved' AND EXISTS (SELECT 1 FROM orders o WHERE o.id = c.order_id);
DROP INDEX process_move_cares_moved_idx;

ALTER TABLE process_moves ADD COLUMN counts jsonb, ADD COLUMN cleared_at timestamptz;
COMMENT ON COLUMN process_moves.counts IS 'what was counted of its cares, once these are no more';
COMMENT ON COLUMN process_moves.cleared_at IS 'since when its cares are not listed any more';
CREATE INDEX process_moves_kept_idx ON process_moves (created_at) WHERE cleared_at IS NULL;
"""
CALLS = """
-- Results that nobody can log any more, because the order has left care: the calls are looked at once more.
UPDATE telephone_calls c SET changed = true
FROM orders o LEFT JOIN care k ON k.order_id = o.id
WHERE c.state = 'waiting' AND o.id = c.order_id AND k.is_open IS NOT TRUE;
"""


def upgrade() -> None:
    for script in (SHIFTS, MOVES, CALLS):
        execute_script(script)
