"""Who does something to an order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from shared.auth import Principal


@dataclass(frozen=True)
class Actor:
    """Whoever moves a level.

    Args:
        kind: staff, the system (consumers and the care process), a carrier's fact, or a carrier's correction of an
            earlier fact with a later carrier time (rule D1).
        account_id, code, permissions: of staff.
    """

    kind: Literal["staff", "system", "carrier", "correction"]
    account_id: UUID | None = None
    code: str = ""
    permissions: frozenset[str] = frozenset()


SYSTEM: Final = Actor("system")
CARRIER: Final = Actor("carrier")
CORRECTION: Final = Actor("correction")


def staff(who: Principal) -> Actor:
    """The signed-in account as an actor."""
    return Actor("staff", who.account_id, who.code, who.permissions)
