"""Idempotency keys of many requests at once, with the meaning they have everywhere (`shared.idempotency`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.leads.driver import Connection
from services.leads.intake.items import Answer, OnceKey

Scope = tuple[str, str, str]
"""Principal, route, key."""

SAME_FORM: Final = "the same form"
"""Route of the keys that forms get from their content, because page builders send twice and give no key. They last
minutes instead of a day: a customer who fills in the form again in the afternoon asks again."""

# In the order of the scopes, so that two batches with the same keys wait for one another instead of deadlocking.
_CLAIM: Final = """
INSERT INTO idempotency_keys (principal, route, key, request_hash)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
ON CONFLICT (principal, route, key) DO UPDATE
SET request_hash = excluded.request_hash, status = NULL, body = NULL, created_at = now()
WHERE idempotency_keys.created_at < now() - CASE excluded.route WHEN 'the same form' THEN interval '5 minutes'
    ELSE interval '24 hours' END
RETURNING principal, route, key
"""
_STORED: Final = """
SELECT principal, route, key, request_hash, status, body::text AS body
FROM idempotency_keys JOIN unnest($1::text[], $2::text[], $3::text[]) AS asked (principal, route, key)
USING (principal, route, key)
"""
_ANSWER: Final = """
UPDATE idempotency_keys k SET status = a.status, body = a.body
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[]::json[])
    AS a (principal, route, key, status, body)
WHERE (k.principal, k.route, k.key) = (a.principal, a.route, a.key)
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer that a key already has."""

    request_hash: bytes
    answer: Answer


async def claim(connection: Connection, keys: Iterable[OnceKey]) -> dict[Scope, Stored]:
    """Takes every key that is free; returns what the others were answered. Waits for twins that run elsewhere.

    Args:
        keys: each scope once.
    """
    ordered = sorted(keys, key=lambda key: key.scope)
    if not ordered:
        return {}
    scopes = [[*column] for column in zip(*(key.scope for key in ordered), strict=True)]
    rows = await connection.fetch(_CLAIM, *scopes, [key.request_hash for key in ordered])
    free = {(row["principal"], row["route"], row["key"]) for row in rows}
    if len(free) == len(ordered):
        return {}
    taken = [key.scope for key in ordered if key.scope not in free]
    rows = await connection.fetch(_STORED, *([*column] for column in zip(*taken, strict=True)))
    return {
        (row["principal"], row["route"], row["key"]): Stored(
            row["request_hash"], Answer(row["status"], row["body"], replayed=True)
        )
        for row in rows
    }


async def answer(connection: Connection, answers: Mapping[Scope, Answer]) -> None:
    """Keeps the answers under the keys that were claimed."""
    if not answers:
        return
    scopes: Sequence[list[str]] = [[*column] for column in zip(*answers, strict=True)]
    kept = list(answers.values())
    await connection.execute(_ANSWER, *scopes, [one.status for one in kept], [one.body for one in kept])
