"""The search attributes, in one registry: limits of the server are ten keywords and three of each other type."""

from __future__ import annotations

from typing import Any, Final

from temporalio.common import SearchAttributeKey

LEVEL: Final = SearchAttributeKey.for_keyword("ChotLevel")
OWNER: Final = SearchAttributeKey.for_keyword("ChotOwner")
"""Staff code of whoever owes the next step."""
TEAM: Final = SearchAttributeKey.for_keyword("ChotTeam")
SOURCE: Final = SearchAttributeKey.for_keyword("ChotSource")
CARRIER: Final = SearchAttributeKey.for_keyword("ChotCarrier")
DUE_AT: Final = SearchAttributeKey.for_datetime("ChotDueAt")
OVERDUE: Final = SearchAttributeKey.for_bool("ChotOverdue")
ATTEMPTS: Final = SearchAttributeKey.for_int("ChotAttempts")

ALL: Final[tuple[SearchAttributeKey[Any], ...]] = (LEVEL, OWNER, TEAM, SOURCE, CARRIER, DUE_AT, OVERDUE, ATTEMPTS)
