"""The history of leads: each change with who made it, when and why, in the transaction of the change itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from services.leads.driver import Connection

_INSERT: Final = """
INSERT INTO lead_changes (id, lead_id, at, by_id, by, kind, before, after, reason)
SELECT id, lead_id, at, by_id, by, kind, before::jsonb, after::jsonb, reason
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
    AS c (id, lead_id, at, by_id, by, kind, before, after, reason)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a lead.

    `kind` is a code such as phone, data, duplicate_released, merged, spam, tags, note. `before` and `after` hold only the
    fields that changed. `by` is a staff code; empty when a rule of the system did it.
    """

    lead_id: UUID
    at: datetime
    kind: str
    by_id: UUID | None = None
    by: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


async def keep(connection: Connection, changes: Iterable[Change]) -> None:
    """Writes changes down, in the caller's transaction."""
    rows = [
        (
            uuid7(),
            change.lead_id,
            change.at,
            change.by_id,
            change.by,
            change.kind,
            orjson.dumps(change.before).decode(),
            orjson.dumps(change.after).decode(),
            change.reason,
        )
        for change in changes
    ]
    if rows:
        await connection.execute(_INSERT, *([*column] for column in zip(*rows, strict=True)))
