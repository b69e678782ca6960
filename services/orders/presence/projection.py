"""Presence of colleagues as staff tells of it. Every version is kept: the highest is what counts now, and what-if runs ask
what counted then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import text

from shared.contracts.events.staff import AccountChanged, DutyChanged, ShiftsChanged
from shared.db import Session
from shared.shifts import digest_of, plan_of

# Two who write versions of one person at once could each find that nothing changed against what the other writes.
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('chot:staff_shifts'))")
_KEEP_PLANS: Final = text(
    """
INSERT INTO shift_plans (digest, plan)
SELECT digest, CAST(plan AS jsonb) FROM unnest(CAST(:digests AS bytea[]), CAST(:plans AS text[])) AS p (digest, plan)
ON CONFLICT (digest) DO NOTHING
"""
)
_KEEP_SHIFTS: Final = text(
    """
WITH before AS (
    SELECT DISTINCT ON (account_id) account_id, version, plan_id FROM staff_shifts
    WHERE account_id = ANY(CAST(:accounts AS uuid[])) ORDER BY account_id, version DESC
), kept AS (
    INSERT INTO staff_shifts (account_id, version, plan_id, at)
    SELECT t.account_id, t.version, p.id, t.at
    FROM unnest(CAST(:accounts AS uuid[]), CAST(:versions AS integer[]), CAST(:digests AS bytea[]), CAST(:at AS timestamptz[]))
        AS t (account_id, version, digest, at)
    LEFT JOIN shift_plans p ON p.digest = t.digest
    ON CONFLICT (account_id, version) DO NOTHING
    RETURNING account_id, version, plan_id
), now AS (SELECT DISTINCT ON (account_id) * FROM kept ORDER BY account_id, version DESC)
SELECT now.account_id FROM now LEFT JOIN before USING (account_id)
WHERE now.version > coalesce(before.version, 0) AND now.plan_id IS DISTINCT FROM before.plan_id
"""
)
_KEEP_PRESENCE: Final = text(
    """
INSERT INTO staff_presence (account_id, what, version, here, at)
SELECT account_id, :what, version, here, at
FROM unnest(CAST(:accounts AS uuid[]), CAST(:versions AS integer[]), CAST(:here AS boolean[]), CAST(:at AS timestamptz[]))
    AS t (account_id, version, here, at)
ON CONFLICT (account_id, what, version) DO NOTHING
"""
)
# Whose clock runs in a shift: first calls that are still to be made (rule D39).
_IN_SHIFT: Final = text(
    """
SELECT DISTINCT order_id FROM tasks
WHERE owner_id = ANY(CAST(:accounts AS uuid[])) AND closed_at IS NULL AND origin = 'care' AND promise = 'first_call'
"""
)


async def keep_shifts(session: Session, changes: Sequence[ShiftsChanged]) -> list[UUID]:
    """Keeps these states of shifts, in whichever order they come; returns the orders in care whose times hang on them, of
    people who work at other times than before."""
    await session.execute(_ONE_AT_A_TIME)
    plans = [plan_of(change) for change in changes]
    digests = [digest_of(plan) if plan is not None else None for plan in plans]
    distinct = sorted({(digest_of(plan), plan.decode()) for plan in plans if plan is not None})
    if distinct:
        await session.execute(
            _KEEP_PLANS, {"digests": [digest for digest, _ in distinct], "plans": [plan for _, plan in distinct]}
        )
    changed = await session.execute(
        _KEEP_SHIFTS,
        {
            "accounts": [change.account_id for change in changes],
            "versions": [change.version for change in changes],
            "digests": digests,
            "at": [change.at for change in changes],
        },
    )
    return list((await session.execute(_IN_SHIFT, {"accounts": list(changed.scalars())})).scalars())


async def keep_duties(session: Session, switches: Sequence[DutyChanged]) -> None:
    """Keeps when people switched on and off duty."""
    await _keep(session, "duty", switches, [switch.on_duty for switch in switches])


async def keep_accounts(session: Session, changes: Sequence[AccountChanged]) -> None:
    """Keeps since when people work here, or no more."""
    await _keep(session, "account", changes, [change.active for change in changes])


async def _keep(
    session: Session,
    what: Literal["duty", "account"],
    changes: Sequence[DutyChanged] | Sequence[AccountChanged],
    here: Sequence[bool],
) -> None:
    await session.execute(
        _KEEP_PRESENCE,
        {
            "what": what,
            "accounts": [change.account_id for change in changes],
            "versions": [change.version for change in changes],
            "here": list(here),
            "at": [change.at for change in changes],
        },
    )
