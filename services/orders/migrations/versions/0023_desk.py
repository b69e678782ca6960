"""Who calls about a failed delivery, and the hand-over of the call to the COD desk."""

from shared.migrations import execute_script

revision = "0023"
down_revision = "0022"

SETTING = """
CREATE TABLE rescue_settings (
    version      integer PRIMARY KEY CONSTRAINT rescue_settings_version_check CHECK (version > 0),
    first_caller text NOT NULL CONSTRAINT rescue_settings_first_caller_check CHECK (first_caller IN ('closer', 'desk')),
    call_minutes integer NOT NULL CONSTRAINT rescue_settings_call_minutes_check CHECK (call_minutes BETWEEN 15 AND 1440),
    at           timestamptz NOT NULL,
    by_id        uuid NOT NULL,
    by           text NOT NULL
);
COMMENT ON TABLE rescue_settings IS 'append-only: the highest version is in force; without any, the closer for 120 minutes';
COMMENT ON COLUMN rescue_settings.call_minutes IS 'of the calling hours, until the COD desk gets the call';
"""

CALLS = """
ALTER TABLE tasks
    ADD COLUMN to_desk boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT tasks_to_desk_check CHECK (NOT to_desk OR origin = 'rescue');
COMMENT ON COLUMN tasks.to_desk IS 'the COD desk has it too; its owner keeps sight of it';
CREATE INDEX tasks_to_desk_idx ON tasks (shown_at, priority, id) WHERE closed_at IS NULL AND to_desk;

CREATE TABLE rescue_calls (
    task_id         uuid PRIMARY KEY REFERENCES tasks ON DELETE CASCADE,
    rescue_id       uuid NOT NULL,
    turn            integer NOT NULL,
    carrier         text NOT NULL,
    opened_at       timestamptz NOT NULL,
    waiting         boolean NOT NULL DEFAULT true,
    desk_at         timestamptz,
    why             text NOT NULL DEFAULT '' CONSTRAINT rescue_calls_why_check CHECK (
                    why IN ('', 'call_hours', 'cut_off', 'desk_first', 'no_owner', 'left', 'off_duty')),
    call_minutes    integer NOT NULL DEFAULT 0,
    called_at       timestamptz,
    called_by       text NOT NULL DEFAULT '',
    handed_at       timestamptz,
    from_code       text NOT NULL DEFAULT '',
    sentence        text NOT NULL DEFAULT '',
    round           integer NOT NULL DEFAULT 1,
    version         integer NOT NULL DEFAULT 1,
    seen_version    integer NOT NULL DEFAULT 0,
    setting_version integer NOT NULL DEFAULT 0,
    changed_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT rescue_calls_handed_check CHECK (handed_at IS NULL OR (NOT waiting AND why <> ''))
);
COMMENT ON TABLE rescue_calls IS 'calls about failed deliveries: whose turn it is';
COMMENT ON COLUMN rescue_calls.waiting IS 'neither handed over nor over: its workflow waits';
COMMENT ON COLUMN rescue_calls.desk_at IS 'when the desk gets it, as planned last; null: not, the customer was reached';
COMMENT ON COLUMN rescue_calls.why IS 'why the desk gets it then, or got it';
COMMENT ON COLUMN rescue_calls.call_minutes IS 'the company''s setting when this was planned';
COMMENT ON COLUMN rescue_calls.called_at IS 'when somebody spoke with the customer about it';
COMMENT ON COLUMN rescue_calls.from_code IS 'whose turn it was';
COMMENT ON COLUMN rescue_calls.sentence IS 'what the timeline says of the hand-over';
COMMENT ON COLUMN rescue_calls.version IS 'grows with each change that its workflow must see';
CREATE INDEX rescue_calls_waiting_idx ON rescue_calls (task_id) WHERE waiting;
INSERT INTO rescue_calls (task_id, rescue_id, turn, carrier, opened_at)
SELECT t.id, t.subject_id, CAST(split_part(t.key, ':', 3) AS integer), coalesce((
    SELECT carrier FROM rescue_steps s WHERE s.rescue_id = t.subject_id ORDER BY sequence DESC LIMIT 1), ''), t.opened_at
FROM tasks t WHERE t.origin = 'rescue' AND t.closed_at IS NULL;

CREATE TABLE rescue_attempts (
    id       uuid PRIMARY KEY,
    task_id  uuid NOT NULL REFERENCES rescue_calls ON DELETE CASCADE,
    order_id uuid NOT NULL REFERENCES orders,
    at       timestamptz NOT NULL,
    reached  boolean NOT NULL,
    note     text NOT NULL,
    by_id    uuid NOT NULL,
    by_code  text NOT NULL
);
COMMENT ON TABLE rescue_attempts IS 'calls to the customer that people logged by hand; those of telephone systems are theirs';
CREATE INDEX rescue_attempts_order_idx ON rescue_attempts (order_id, at);
"""

NOTICES = """
ALTER TABLE notices
    DROP CONSTRAINT notices_kind_check,
    ADD CONSTRAINT notices_kind_check CHECK (kind IN ('due', 'overdue', 'no_owner', 'given', 'taken_away', 'claimed',
        'asked', 'taking_limit', 'handed_over', 'to_desk', 'decided'));
"""


def upgrade() -> None:
    for script in (SETTING, CALLS, NOTICES):
        execute_script(script)
