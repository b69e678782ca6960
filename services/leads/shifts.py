"""The shifts of colleagues as staff tells of them: kept once for all who share them, in versions that only grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.leads.driver import Connection
from shared.contracts.events.staff import ShiftsChanged
from shared.shifts import digest_of, plan_of

_KEEP_PLANS: Final = """
INSERT INTO shift_plans (digest, plan) SELECT digest, plan::jsonb FROM unnest($1::bytea[], $2::text[]) AS p (digest, plan)
ON CONFLICT (digest) DO NOTHING
"""
_KEEP: Final = """
INSERT INTO staff_shifts (account_id, version, plan_id)
SELECT k.account_id, k.version, p.id
FROM unnest($1::uuid[], $2::integer[], $3::bytea[]) AS k (account_id, version, digest)
    LEFT JOIN shift_plans p ON p.digest = k.digest
ORDER BY k.account_id
ON CONFLICT (account_id) DO UPDATE SET version = excluded.version, plan_id = excluded.plan_id
WHERE staff_shifts.version < excluded.version
"""


async def keep(connection: Connection, changes: Sequence[ShiftsChanged]) -> None:
    """Brings the projection up to these states; one that is older than what is known changes nothing."""
    latest: dict[object, ShiftsChanged] = {}
    for change in changes:
        known = latest.get(change.account_id)
        if known is None or known.version < change.version:
            latest[change.account_id] = change
    plans = {change.account_id: plan for change in latest.values() if (plan := plan_of(change)) is not None}
    distinct = {digest_of(plan): plan.decode() for plan in plans.values()}
    ordered = sorted(distinct.items())
    await connection.execute(_KEEP_PLANS, [digest for digest, _ in ordered], [plan for _, plan in ordered])
    digests = {account_id: digest_of(plan) for account_id, plan in plans.items()}
    await connection.execute(
        _KEEP,
        list(latest),
        [change.version for change in latest.values()],
        [digests.get(change.account_id) for change in latest.values()],
    )
