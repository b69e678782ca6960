"""Calendars of business time, as people manage them."""

from datetime import UTC, datetime

import orjson
import sqlalchemy as sa
from alembic import op

from shared.migrations import execute_script
from shared.public_holidays import vietnam_named

revision = "0014"
down_revision = "0013"

TABLES = """
CREATE TABLE business_time (
    single   boolean PRIMARY KEY DEFAULT true CONSTRAINT business_time_single_check CHECK (single),
    revision integer NOT NULL
);
COMMENT ON TABLE business_time IS 'one row: the number of the last change of any calendar or holiday; changes queue up on it';
INSERT INTO business_time (revision) VALUES (1);

CREATE TABLE business_time_changes (
    revision integer PRIMARY KEY,
    calendar text NOT NULL,
    team     text NOT NULL DEFAULT '',
    version  integer NOT NULL,
    at       timestamptz NOT NULL,
    by_id    uuid,
    by_code  text NOT NULL DEFAULT '',
    reason   text NOT NULL DEFAULT ''
);
COMMENT ON COLUMN business_time_changes.calendar IS 'a key, or ''holidays''; version is its own, of holidays the revision';

CREATE TABLE calendar_versions (
    key      text NOT NULL CONSTRAINT calendar_versions_key_check CHECK (key ~ '^[a-z][a-z0-9_]{0,39}$' AND key <> 'holidays'),
    team     text NOT NULL DEFAULT '',
    version  integer NOT NULL CONSTRAINT calendar_versions_version_check CHECK (version > 0),
    revision integer NOT NULL REFERENCES business_time_changes,
    body     jsonb,
    PRIMARY KEY (key, team, version)
);
COMMENT ON TABLE calendar_versions IS 'immutable: a change is another version, in force from the time of its revision on';
COMMENT ON COLUMN calendar_versions.team IS 'whose owner''s team keeps it; '''' = the company, for teams without their own';
COMMENT ON COLUMN calendar_versions.body IS 'null = the team keeps the company''s again';
CREATE INDEX calendar_versions_revision_idx ON calendar_versions (revision);

CREATE TABLE holiday_versions (
    "on"     date NOT NULL,
    version  integer NOT NULL CONSTRAINT holiday_versions_version_check CHECK (version > 0),
    revision integer NOT NULL REFERENCES business_time_changes,
    closed   boolean NOT NULL,
    public   boolean NOT NULL,
    vi       text NOT NULL,
    en       text NOT NULL,
    PRIMARY KEY ("on", version)
);
COMMENT ON TABLE holiday_versions IS 'immutable; closes calendars that keep public holidays, by its last version';
COMMENT ON COLUMN holiday_versions.public IS 'it is a public holiday of Vietnam, whether the company keeps it or not';
CREATE INDEX holiday_versions_revision_idx ON holiday_versions (revision);

CREATE TABLE replans (
    revision    integer PRIMARY KEY REFERENCES business_time_changes,
    round       integer NOT NULL DEFAULT 1,
    since       timestamptz,
    state       text NOT NULL DEFAULT 'running' CONSTRAINT replans_state_check CHECK (state IN ('running', 'done')),
    touched     integer,
    looked      integer NOT NULL DEFAULT 0,
    moved       integer NOT NULL DEFAULT 0,
    failed      integer NOT NULL DEFAULT 0,
    place       uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    started_at  timestamptz NOT NULL,
    finished_at timestamptz
);
COMMENT ON TABLE replans IS 'what a change of business time means for open care, order by order behind `place`';
COMMENT ON COLUMN replans.since IS 'the first instant at which the change makes a difference; null = any';
COMMENT ON COLUMN replans.moved IS 'orders with a task that is due at another time';
CREATE INDEX replans_running_idx ON replans (revision) WHERE state = 'running';
"""
WHAT_IF = """
CREATE TABLE what_if_runs (
    id            uuid PRIMARY KEY,
    process       text NOT NULL,
    version       integer,
    draft_id      uuid,
    body          json NOT NULL,
    since         timestamptz NOT NULL,
    till          timestamptz NOT NULL,
    team          text NOT NULL DEFAULT '',
    note          text NOT NULL DEFAULT '',
    state         text NOT NULL DEFAULT 'running'
                  CONSTRAINT what_if_runs_state_check CHECK (state IN ('running', 'done', 'cancelled')),
    round         integer NOT NULL DEFAULT 1,
    total         integer,
    looked        integer NOT NULL DEFAULT 0,
    equal         integer NOT NULL DEFAULT 0,
    undone        integer NOT NULL DEFAULT 0,
    failed        integer NOT NULL DEFAULT 0,
    unplaced      integer NOT NULL DEFAULT 0,
    place         uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    created_at    timestamptz NOT NULL,
    created_by_id uuid,
    created_by    text NOT NULL,
    finished_at   timestamptz,
    CONSTRAINT what_if_runs_span_check CHECK (since < till)
);
COMMENT ON COLUMN what_if_runs.body IS 'the process that is tried, as it was when the run was asked for';
COMMENT ON COLUMN what_if_runs.equal IS 'orders of which the process makes exactly what was recorded';
COMMENT ON COLUMN what_if_runs.unplaced IS 'results that the step did not know: they count as attempts';
CREATE INDEX what_if_runs_running_idx ON what_if_runs (id) WHERE state = 'running';

CREATE TABLE what_if_steps (
    run_id       uuid NOT NULL REFERENCES what_if_runs ON DELETE CASCADE,
    side         text NOT NULL CONSTRAINT what_if_steps_side_check CHECK (side IN ('recorded', 'tried')),
    step         text NOT NULL,
    promise      text NOT NULL,
    tasks        integer NOT NULL,
    done         integer NOT NULL,
    kept         integer NOT NULL,
    broken       integer NOT NULL,
    cancelled    integer NOT NULL,
    open         integer NOT NULL,
    unasked      integer NOT NULL,
    late_seconds bigint NOT NULL,
    PRIMARY KEY (run_id, step, promise, side)
);
COMMENT ON COLUMN what_if_steps.unasked IS 'not met, but nobody was asked then: nothing is known of what they would have done';

CREATE TABLE what_if_people (
    run_id       uuid NOT NULL REFERENCES what_if_runs ON DELETE CASCADE,
    side         text NOT NULL CONSTRAINT what_if_people_side_check CHECK (side IN ('recorded', 'tried')),
    account_id   uuid NOT NULL,
    "on"         date NOT NULL,
    due          integer NOT NULL,
    calls        integer NOT NULL,
    kept         integer NOT NULL,
    broken       integer NOT NULL,
    open_minutes integer NOT NULL,
    busy         bit(1440) NOT NULL,
    PRIMARY KEY (run_id, "on", account_id, side)
);
COMMENT ON COLUMN what_if_people.busy IS 'the open minutes of the day in which something was due for them';

CREATE TABLE what_if_orders (
    run_id      uuid NOT NULL REFERENCES what_if_runs ON DELETE CASCADE,
    order_id    uuid NOT NULL,
    verdict     text NOT NULL
                CONSTRAINT what_if_orders_verdict_check CHECK (verdict IN ('equal', 'different', 'undone', 'failed')),
    recorded    jsonb NOT NULL,
    tried       jsonb NOT NULL,
    differences text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (run_id, order_id)
);
"""
APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST_YEAR, LAST_YEAR = 2025, 2035  # later ones come from the library when they are near


def upgrade() -> None:
    execute_script(TABLES)
    execute_script(WHAT_IF)
    connection = op.get_bind()
    connection.execute(
        sa.text(
            "INSERT INTO business_time_changes (revision, calendar, version, at, by_code) VALUES (1, 'seed', 1, :at, 'seed')"
        ),
        # The beginning of time: whatever was planned so far was planned by what follows.
        {"at": datetime(2000, 1, 1, tzinfo=UTC)},
    )
    connection.execute(
        sa.text(
            'INSERT INTO holiday_versions ("on", version, revision, closed, public, vi, en) '
            "VALUES (:on, 1, 1, true, true, :vi, :en)"
        ),
        [
            {"on": on, "vi": vi, "en": en}
            for on, (vi, en) in sorted(vietnam_named(range(FIRST_YEAR, LAST_YEAR + 1)).items())
        ],
    )
    _take_over_calendars(connection)
    for table in ("business_time_changes", "calendar_versions", "holiday_versions"):
        execute_script(APPEND_ONLY.format(table=table))


def _take_over_calendars(connection: sa.Connection) -> None:
    """The calendars of the standard process, as its last version has them, are the company's from now on."""
    body = connection.execute(
        sa.text("SELECT body FROM process_versions WHERE key = 'cod_standard' ORDER BY version DESC LIMIT 1")
    ).scalar_one()
    zone = body["timezone"]
    for key, hours in body["calendars"].items():
        weekly: dict[str, list[str]] = {}
        for days, periods in hours["weekly"].items():
            first, _, last = days.partition("-")
            for number in range(DAYS.index(first), DAYS.index(last or first) + 1):
                weekly[DAYS[number]] = list(periods)
        special = [{"on": on, "closed": True} for on in hours.get("closed", ())]
        special += [{"on": on, "periods": list(periods)} for on, periods in hours.get("extra", {}).items()]
        calendar = {
            "name": hours["name"],
            "zone": zone,
            "weekly": weekly,
            "public_holidays": hours.get("public_holidays", False),
            "special_days": sorted(special, key=lambda day: day["on"]),
        }
        connection.execute(
            sa.text(
                "INSERT INTO calendar_versions (key, version, revision, body) VALUES (:key, 1, 1, CAST(:body AS jsonb))"
            ),
            {"key": key, "body": orjson.dumps(calendar).decode()},
        )
