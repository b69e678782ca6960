"""Where a page of leads ended: the value that orders the list, and the lead's id."""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from services.leads.errors import CursorUnreadable

Order = Literal["newest", "oldest", "changed"]

_FORM: Final = struct.Struct(">cq16s")
_LETTERS: Final[dict[Order, bytes]] = {"newest": b"n", "oldest": b"o", "changed": b"c"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """The last lead of a page."""

    at: datetime
    id: UUID

    def cursor(self, order: Order) -> str:
        """What the caller sends back as `after`; opaque to them."""
        micros = (self.at - _EPOCH) // _MICROSECOND
        return base64.urlsafe_b64encode(_FORM.pack(_LETTERS[order], micros, self.id.bytes)).rstrip(b"=").decode()


def read_cursor(text: str, order: Order) -> Place:
    """The place that a cursor names.

    Raises:
        CursorUnreadable: it is not one of ours, or belongs to a list in another order.
    """
    try:
        letter, micros, id = _FORM.unpack(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        place = Place(_EPOCH + timedelta(microseconds=micros), UUID(bytes=id))
    except (binascii.Error, struct.error, OverflowError, ValueError):
        raise CursorUnreadable from None
    if letter != _LETTERS[order]:
        raise CursorUnreadable
    return place
