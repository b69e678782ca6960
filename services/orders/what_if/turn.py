"""One turn of a what-if run: some orders live again, and what is counted of them is added, in one transaction with the
run's place behind them. So whoever goes on after a crash begins exactly behind the last order that was counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text

from services.orders.calendars import store
from services.orders.care.process import CareProcess
from services.orders.care.processes import Processes
from services.orders.clock import Clock
from services.orders.what_if.compare import MINUTES, Tally, differences, shown, tally
from services.orders.what_if.life import Endless, live
from services.orders.what_if.reading import Case, read_cases
from services.orders.what_if.recorded import Life
from services.orders.what_if.versions import ProcessAt, Published
from shared.calendar import NeverOpen
from shared.contracts.activities import Advance, OperatorView
from shared.db import Database, ReadSession, Session

BATCH: Final = 100
"""Orders of a turn: a second or so, and a few MB."""
SHOWN: Final = 10
"""Differences told of an order; the first ones explain the rest."""

_RUN: Final = text("SELECT * FROM what_if_runs WHERE id = :id")
_SNAPSHOT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
_COHORT: Final = """
FROM assignments a JOIN care c USING (order_id)
WHERE a.owner_id IS NOT NULL AND a.at >= :since AND a.at < :till AND a.order_id > :place
    AND (CAST(:team AS text) = '' OR a.team = :team)
    AND NOT EXISTS (SELECT 1 FROM assignments b WHERE b.order_id = a.order_id AND b.owner_id IS NOT NULL
        AND b.assignment < a.assignment)
"""
_COUNT: Final = text(f"UPDATE what_if_runs SET total = (SELECT count(*) {_COHORT}) WHERE id = :id AND total IS NULL")
_NEXT: Final = text(f"SELECT a.order_id {_COHORT} ORDER BY a.order_id LIMIT :limit")
_FINALS: Final = text("SELECT code, kind = 'final' AS final FROM levels")
_LOCK: Final = text("SELECT state, place FROM what_if_runs WHERE id = :id FOR UPDATE")
_PROGRESS: Final = text(
    """
UPDATE what_if_runs SET looked = looked + :looked, equal = equal + :equal, undone = undone + :undone,
    failed = failed + :failed, unplaced = unplaced + :unplaced, place = :next,
    state = CASE WHEN :done THEN 'done' ELSE state END, finished_at = CASE WHEN :done THEN CAST(:now AS timestamptz) END
WHERE id = :id
"""
)
_STEPS: Final = text(
    """
INSERT INTO what_if_steps (run_id, side, step, promise, tasks, done, kept, broken, cancelled, open, unasked, late_seconds)
VALUES (:run_id, :side, :step, :promise, :tasks, :done, :kept, :broken, :cancelled, :open, :unasked, :late_seconds)
ON CONFLICT (run_id, step, promise, side) DO UPDATE SET tasks = what_if_steps.tasks + excluded.tasks,
    done = what_if_steps.done + excluded.done, kept = what_if_steps.kept + excluded.kept,
    broken = what_if_steps.broken + excluded.broken, cancelled = what_if_steps.cancelled + excluded.cancelled,
    open = what_if_steps.open + excluded.open, unasked = what_if_steps.unasked + excluded.unasked,
    late_seconds = what_if_steps.late_seconds + excluded.late_seconds
"""
)
_PEOPLE: Final = text(
    """
INSERT INTO what_if_people (run_id, side, account_id, "on", due, calls, kept, broken, open_minutes, busy)
SELECT :run_id, :side, t.account_id, t.on_day, t.due, t.calls, t.kept, t.broken, t.open_minutes, CAST(t.busy AS bit(1440))
FROM unnest(CAST(:accounts AS uuid[]), CAST(:days AS date[]), CAST(:due AS integer[]), CAST(:calls AS integer[]),
    CAST(:kept AS integer[]), CAST(:broken AS integer[]), CAST(:open_minutes AS integer[]), CAST(:busy AS text[])
) AS t (account_id, on_day, due, calls, kept, broken, open_minutes, busy)
ON CONFLICT (run_id, "on", account_id, side) DO UPDATE SET due = what_if_people.due + excluded.due,
    calls = what_if_people.calls + excluded.calls, kept = what_if_people.kept + excluded.kept,
    broken = what_if_people.broken + excluded.broken, busy = what_if_people.busy | excluded.busy
"""
)
_ORDERS: Final = text(
    """
INSERT INTO what_if_orders (run_id, order_id, verdict, recorded, tried, differences)
VALUES (:run_id, :order_id, :verdict, CAST(:recorded AS jsonb), CAST(:tried AS jsonb), :differences)
"""
)


@dataclass
class Turn:
    """What one turn found."""

    recorded: Tally = field(default_factory=Tally)
    tried: Tally = field(default_factory=Tally)
    orders: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    undone: int = 0
    unplaced: int = 0


class Turns:
    """Works on what-if runs.

    Args:
        now: the clock of the service.
    """

    def __init__(self, db: Database, processes: Processes, *, now: Clock) -> None:
        self._db = db
        self._processes = processes
        self._now = now

    async def take(self, run_id: UUID) -> Advance:
        """Goes on with a run for one turn; does nothing if it does not run."""
        now = self._now()
        run = await self._begin(run_id)
        if run.state != "running":
            return Advance(done=True, outcome=run.state, view=_view(run))
        async with self._db.read() as session:
            await session.execute(_SNAPSHOT)
            ids = list((await session.execute(_NEXT, {**_cohort(run), "limit": BATCH})).scalars())
            cases = await read_cases(session, ids, now=now)
            finals = {row.code: row.final for row in await session.execute(_FINALS)}
            process_at, published = await self._processes_at(session, run, cases, now=now)
        # Minutes of pure computing in a month's run: other requests of this process must not wait for them.
        turn = await asyncio.to_thread(_work, cases, process_at, published, finals)
        async with self._db.transaction() as session:
            held = (await session.execute(_LOCK, {"id": run_id})).one()
            if held.state == "running" and held.place == run.place:
                await _write(session, run_id, turn, next=ids[-1] if ids else run.place, done=len(ids) < BATCH, now=now)
            run = (await session.execute(_RUN, {"id": run_id})).one()
        return Advance(done=run.state != "running", outcome=run.state, view=_view(run))

    async def _begin(self, run_id: UUID) -> Any:
        async with self._db.transaction() as session:
            run = (await session.execute(_RUN, {"id": run_id})).one()
            if run.total is None:
                await session.execute(_COUNT, {**_cohort(run), "id": run_id})
            return run

    async def _processes_at(
        self, session: ReadSession, run: Any, cases: Sequence[Case], *, now: datetime
    ) -> tuple[ProcessAt, Published]:
        """The process that is tried, and those that care was moved from, in the business time of each moment that the
        cases touch."""
        tried = CareProcess.model_validate(run.body)
        first = min((each.at for case in cases for each in case.recorded.assignments), default=now)
        teams = {each.team for case in cases for each in case.recorded.assignments} | {store.COMPANY}
        begun = (datetime.min.replace(tzinfo=UTC), await store.revision_at(session, first))
        changes = [begun, *((at, revision) for revision, at in await store.changes(session, since=first, till=now))]
        times = [(revision, team) for _, revision in changes for team in teams]

        def at_each(resolved: Mapping[tuple[int, str], CareProcess]) -> ProcessAt:
            def process_at(at: datetime, team: str) -> CareProcess:
                revision = next(revision for since, revision in reversed(changes) if since <= at)
                return resolved[revision, team]

            return process_at

        process_at = at_each(
            {
                (revision, team): await self._processes.resolve(session, tried, now=now, revision=revision, team=team)
                for revision, team in times
            }
        )
        published = {
            (key, version): at_each(
                {
                    (revision, team): await self._processes.under(
                        session, key, version, revision=revision, year=now.year, team=team
                    )
                    for revision, team in times
                }
            )
            for key, version in {way.before for case in cases for way in case.recorded.ways}
        }
        return process_at, published


def _cohort(run: Any) -> dict[str, Any]:
    return {"since": run.since, "till": run.till, "team": run.team, "place": run.place}


def _work(cases: Sequence[Case], process_at: ProcessAt, published: Published, finals: Mapping[str, bool]) -> Turn:
    turn = Turn()
    for case in cases:
        recorded, life = case.recorded, case.life
        process = process_at(recorded.until, recorded.assignments[-1].team)
        clock = process.calendar(process.windows.asked)
        try:
            tried = live(process_at, recorded, published=published, finals=finals)
        except (NeverOpen, Endless) as error:
            _add(turn, case, "failed", Life(), [str(error)])
            continue
        found = differences(life, tried)
        _add(turn, case, "different" if found else "equal", tried, found)
        tally(turn.recorded, life, recorded, clock=clock)
        tally(turn.tried, tried, recorded, clock=clock, asked=life)
        turn.undone += case.undone
        turn.unplaced += tried.unplaced
    return turn


def _add(turn: Turn, case: Case, verdict: str, tried: Life, found: Sequence[str]) -> None:
    turn.verdicts.append(verdict)
    turn.orders.append(
        {
            "order_id": case.recorded.order_id,
            "verdict": verdict,
            "recorded": orjson.dumps(shown(case.life)).decode(),
            "tried": orjson.dumps(shown(tried)).decode(),
            "differences": list(found[:SHOWN]),
        }
    )


async def _write(session: Session, run_id: UUID, turn: Turn, *, next: UUID, done: bool, now: datetime) -> None:
    for side, counted in (("recorded", turn.recorded), ("tried", turn.tried)):
        steps = [
            {
                "run_id": run_id,
                "side": side,
                "step": name,
                "promise": promise,
                **{slot: getattr(step, slot) for slot in step.__slots__},
            }
            for (name, promise), step in sorted(counted.steps.items())
        ]
        if steps:
            await session.execute(_STEPS, steps)
        people = sorted(counted.people.items())
        await session.execute(
            _PEOPLE,
            {
                "run_id": run_id,
                "side": side,
                "accounts": [account_id for (account_id, _), _ in people],
                "days": [on for (_, on), _ in people],
                "busy": [format(day.busy, f"0{MINUTES}b") for _, day in people],
                **{
                    name: [getattr(day, name) for _, day in people]
                    for name in ("due", "calls", "kept", "broken", "open_minutes")
                },
            },
        )
    if turn.orders:
        await session.execute(_ORDERS, [{"run_id": run_id, **order} for order in turn.orders])
    await session.execute(
        _PROGRESS,
        {
            "id": run_id,
            "looked": len(turn.orders),
            **{verdict: turn.verdicts.count(verdict) for verdict in ("equal", "failed")},
            "undone": turn.undone,
            "unplaced": turn.unplaced,
            "next": next,
            "done": done,
            "now": now,
        },
    )


def _view(run: Any) -> OperatorView:
    of = "?" if run.total is None else run.total
    return OperatorView(
        sentence_vi=f"Chạy thử quy trình {run.process}: {run.looked}/{of} đơn, {run.equal} đơn không đổi.",
        sentence_en=f"Tries the process {run.process}: {run.looked} of {of} orders, {run.equal} unchanged.",
    )
