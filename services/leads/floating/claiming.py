"""Taking a number from the floating pool: exactly one gets it, and nobody more than rule D40 allows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.leads import moves
from services.leads.driver import Connection
from services.leads.errors import ClaimerNotActive, NotInFloatingPool, NumberNotToBeCalled, NumberTaken
from services.leads.events import Assigned
from services.leads.floating.limits import Claimer, Limits, leaves_at, refusal
from services.leads.floating.viewing import leave, refuse_viewed
from services.leads.moves import Held
from shared.auth import Principal

# One claim of a person at a time, so that two at once cannot both be the last that is allowed.
_ONE_BY_ONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('claims:' || $1::text, 0))"
_CLAIMER: Final = """
SELECT (SELECT count(*) FROM claims WHERE account_id = $1 AND claimed_at >= $2) AS today,
    (SELECT count(*) FROM claims c JOIN leads l ON l.id = c.lead_id AND l.assignment = c.assignment
     WHERE c.account_id = $1 AND c.called_at IS NULL AND l.owner_id = $1 AND l.in_care) AS uncalled
"""
_OWN_RELEASE: Final = """
SELECT max(at) FROM assignments
WHERE lead_id = $1 AND owner_id IS NULL AND cause = 'floating_pool' AND (previous_owner_id = $2 OR (by = $3 AND by <> ''))
"""
_IS_CLAIM: Final = "SELECT 1 FROM claims WHERE lead_id = $1 AND assignment = $2 AND account_id = $3"
_TAKER: Final = """
SELECT s.code FROM claims c JOIN staff_members s USING (account_id) WHERE c.lead_id = $1 AND c.assignment = $2
"""
_CLAIM: Final = "INSERT INTO claims (lead_id, assignment, account_id, claimed_at) VALUES ($1, $2, $3, $4)"
_LOCK_CALLED: Final = """
SELECT 1 FROM claims WHERE lead_id = ANY($1::uuid[]) AND called_at IS NULL ORDER BY lead_id, assignment FOR NO KEY UPDATE
"""
_CALLED: Final = """
UPDATE claims c SET called_at = (SELECT min(i.at) FROM unnest($1::uuid[], $2::timestamptz[]) AS i (lead_id, at)
    WHERE i.lead_id = c.lead_id AND i.at >= c.claimed_at)
WHERE lead_id = ANY($1::uuid[]) AND called_at IS NULL
"""


async def claimer(connection: Connection, account_id: UUID, *, midnight: datetime) -> Claimer:
    """What somebody has claimed so far.

    Args:
        midnight: when the present day began in the company's zone.
    """
    row = await connection.fetchrow(_CLAIMER, account_id, midnight)
    assert row is not None, "counts are always one row"
    return Claimer(row["today"], row["uncalled"])


async def claim(
    connection: Connection, lead_id: UUID, who: Principal, *, limits: Limits, now: datetime
) -> Assigned | None:
    """Takes a number for somebody, in the caller's transaction. None: they have claimed it already, nothing happens.

    Raises:
        ClaimerNotActive: the account is locked or not known here.
        ClaimsOfDayUsed, ClaimsUncalled, ClaimOfOwnRelease: a bound of rule D40.
        NumberTaken: somebody else claimed it.
        NotInFloatingPool: it is not there (any more).
        NumberNotToBeCalled: it is on the do-not-call list.
        NumberBeingViewed: somebody else looks at it.
    """
    await connection.execute(_ONE_BY_ONE, str(who.account_id))
    person = (await moves.people(connection, [who.account_id])).get(who.account_id)
    if person is None or not person.active:
        raise ClaimerNotActive
    lead = (await moves.hold(connection, [lead_id])).get(lead_id)
    if lead is None:
        raise NotInFloatingPool
    if lead.owner_id == who.account_id and await connection.fetchval(
        _IS_CLAIM, lead_id, lead.assignment, who.account_id
    ):
        return None
    await _refuse_gone(connection, lead, limits=limits, now=now)
    await refuse_viewed(connection, lead_id, who, now=now, limits=limits)
    so_far = await claimer(connection, who.account_id, midnight=limits.midnight(now))
    released_at = await connection.fetchval(_OWN_RELEASE, lead_id, who.account_id, who.code)
    problem = refusal(limits, so_far, released_at=released_at, now=now)
    if problem is not None:
        raise problem
    (claimed,) = await moves.give(connection, [(lead, person)], cause="claim", at=now, by=person.code)
    await connection.execute(_CLAIM, lead_id, claimed.assignment, who.account_id, now)
    await leave(connection, lead_id, who.account_id)
    return claimed


async def _refuse_gone(connection: Connection, lead: Held, *, limits: Limits, now: datetime) -> None:
    if lead.owner_id is not None:
        taker = await connection.fetchval(_TAKER, lead.id, lead.assignment)
        if taker is not None:
            raise NumberTaken(taker=taker)
    here = lead.floating_since is not None and lead.archived_at is None and lead.in_care
    if not here or lead.floating_since is None or leaves_at(limits, lead.floating_since) <= now:
        raise NotInFloatingPool
    if lead.do_not_call:
        raise NumberNotToBeCalled


async def called(connection: Connection, calls: Sequence[tuple[UUID, datetime]]) -> None:
    """Claimed numbers were called.

    Args:
        calls: lead and instant of each; a call before the claim is none of it.
    """
    if calls:
        leads = [lead_id for lead_id, _ in calls]
        await connection.fetch(_LOCK_CALLED, leads)
        await connection.execute(_CALLED, leads, [at for _, at in calls])
