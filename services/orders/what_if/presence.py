"""Who was there when: shifts, duty and leaving of people, as staff told of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeVar
from uuid import UUID

from shared.calendar import Calendar

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Told(Generic[ValueT]):
    """A version of something about a person."""

    at: datetime
    value: ValueT


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Of the owners of some orders: what staff told, the oldest version first."""

    shifts: Mapping[UUID, Sequence[Told[Calendar | None]]] = field(default_factory=dict)
    duty: Mapping[UUID, Sequence[Told[bool]]] = field(default_factory=dict)
    account: Mapping[UUID, Sequence[Told[bool]]] = field(default_factory=dict)

    def shift(self, account_id: UUID, at: datetime) -> Calendar | None:
        """The shift of a person as it was known at an instant; None: all calling hours."""
        return _then(self.shifts.get(account_id, ()), at, unknown=None)

    def away(self, account_id: UUID, at: datetime) -> Literal["", "off_duty", "left"]:
        """Whether somebody was not there; who was never told of was."""
        if not _then(self.account.get(account_id, ()), at, unknown=True):
            return "left"
        return "" if _then(self.duty.get(account_id, ()), at, unknown=True) else "off_duty"

    def next_switch(self, account_id: UUID, after: datetime) -> datetime | None:
        """When somebody next switched on or off duty, left or came back."""
        told = (*self.duty.get(account_id, ()), *self.account.get(account_id, ()))
        return min((each.at for each in told if each.at > after), default=None)


def _then(versions: Sequence[Told[ValueT]], at: datetime, *, unknown: ValueT) -> ValueT:
    return next((each.value for each in reversed(versions) if each.at <= at), unknown)
