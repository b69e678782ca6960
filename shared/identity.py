"""Ids of what comes many at once."""

from __future__ import annotations

from uuid import UUID

import uuid_utils
from asyncpg.pgproto.pgproto import UUID as DriverUUID


def new_id() -> UUID:
    """A UUIDv7 of the class that the driver reads ids as: it is made, compared and written ten times as fast as Python's."""
    return DriverUUID(uuid_utils.uuid7().bytes)
