"""Reads stored callbacks and applies them to the timelines, in batches."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import Final
from uuid import UUID

import asyncpg
import orjson
from prometheus_client import Counter as Metric

from services.shipping import facts
from services.shipping.callbacks.intake import CHANNEL
from services.shipping.carriers.answers import CallbackMessage, Report
from services.shipping.carriers.errors import UnreadableCallback
from services.shipping.carriers.registry import CARRIERS
from services.shipping.codes import mapping
from services.shipping.facts import Fact
from services.shipping.rows import listed, locked, locked_by_waybill
from services.shipping.work import Work, work
from shared.db import Database, is_unavailable
from shared.lifecycle import until_set
from shared.telemetry import logger
from shared.vault import Vault

log = logger(__name__)

BATCH: Final = 500
LANES: Final = 3
"""Batches under way at once: while one is read and reckoned, the database writes another and commits a third."""
POLL: Final = 1.0
"""Seconds between looks when nothing woke us: the safety net for a lost wake-up."""
KEEP: Final = timedelta(days=90)
"""How long applied raw bodies are kept; a statement of the carrier may have to be argued about for a quarter."""
PURGE_EVERY: Final = 3600.0

CALLBACKS = Metric("chot_carrier_callbacks_total", "Callbacks of carriers by what became of them", ["carrier", "state"])

_TAKE: Final = """
UPDATE callbacks_raw r SET state = 'applied', error = '', processed_at = now() FROM carrier_connections c
WHERE c.id = r.connection_id AND r.id = ANY(ARRAY(
    SELECT id FROM callbacks_raw WHERE state = 'received' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
))
RETURNING r.id, r.connection_id, r.body, r.received_at, r.headers::text AS headers, c.carrier, c.credentials
"""
"""Taken as applied, which nearly all are in the end; what becomes something else is told afterwards."""
_TAKE_ONE: Final = _TAKE.replace("ORDER BY id LIMIT $1", "AND id = $1")
_BY_REFERENCE: Final = """
SELECT r.place, s.id FROM unnest($1::text::uuid[], $2::text[]) WITH ORDINALITY AS r(connection_id, reference, place)
JOIN creation_attempts a ON a.reference = r.reference
JOIN shipments s ON s.id = a.shipment_id AND s.connection_id = r.connection_id
"""
_LEAVE: Final = "UPDATE callbacks_raw SET state = 'received', processed_at = NULL WHERE id = ANY($1::uuid[])"
_RAISED: Final = """
UPDATE callbacks_raw c SET state = r.state, error = r.error, processed_at = now()
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS r(id, state, error) WHERE c.id = r.id
"""
# Their ids begin with the moment of their arrival; asked for once, so that the index is used.
_PURGE: Final = "DELETE FROM callbacks_raw WHERE state = 'applied' AND id < (SELECT uuidv7($1::interval))"


@dataclass(slots=True)
class _Told:
    """One of the reports of a callback."""

    callback_id: UUID
    connection_id: UUID
    received_at: datetime
    report: Report


@dataclass(slots=True)
class _Matched:
    """What callbacks tell of parcels of ours."""

    shipments: Mapping[UUID, asyncpg.Record]
    """Locked."""
    facts: Sequence[Fact]
    strange: Collection[UUID]
    """Callbacks about no shipment of ours."""
    busy: Collection[UUID]
    """Callbacks about one that cannot be locked now."""


class CallbackProcessor:
    """Applies stored callbacks until stopped. Several may run: each takes rows that no other has.

    Args:
        direct_url: the database past any pooler, because LISTEN belongs to a session.
        wake: set by an intake in the same process.
        now: the present, UTC.
        pace: factor of the pauses between polls.
    """

    def __init__(
        self,
        db: Database,
        *,
        vault: Vault,
        direct_url: str,
        wake: asyncio.Event,
        now: Callable[[], datetime],
        pace: float,
    ) -> None:
        self._db = db
        self._vault = vault
        self._url = direct_url
        self._wake = wake
        self._now = now
        self._pace = pace

    async def run(self) -> None:
        """Applies until cancelled; raises when the database connection breaks, to be started afresh."""
        async with self._listening():
            purge_at = 0.0
            loop = asyncio.get_running_loop()
            while True:
                self._wake.clear()
                if loop.time() >= purge_at:
                    await self.purge()
                    purge_at = loop.time() + PURGE_EVERY
                    await mapping.absorb(self._db)
                    await mapping.settle(self._db, now=self._now(), pace=self._pace)
                await self.drain()
                await until_set(self._wake, at_most=POLL)

    async def purge(self) -> None:
        """Deletes the bodies of applied callbacks that nobody has to argue about any more."""
        await (await self._db.driver()).execute(_PURGE, -KEEP)

    async def drain(self) -> None:
        """Applies everything that waits, several batches at a time. A parcel that is in two of them is locked by one after
        the other, and its state comes of all its entries."""

        async def lane() -> None:
            while await self.apply_batch() == BATCH:
                pass

        async with asyncio.TaskGroup() as lanes:
            for _ in range(LANES):
                lanes.create_task(lane())

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        connection = await asyncpg.connect(self._url)
        try:
            await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
            yield
        finally:
            await connection.close()

    async def apply_batch(self) -> int:
        """Applies the callbacks that wait, at most a batch; returns how many there were."""
        taken: list[UUID] = []
        try:
            async with work(self._db) as current:
                # As they came: whoever told something first is seen to have known it first.
                rows = sorted(await current.connection.fetch(_TAKE, BATCH), key=itemgetter("id"))
                taken = [row["id"] for row in rows]
                left = await self._apply(current, rows)
        except Exception as error:
            if _may_pass(error) or not taken:
                raise
            # One of them cannot be stored as it was read; alone, it takes no other down with it.
            left = 0
            for callback_id in taken:
                left += await self._apply_alone(callback_id)
        return len(taken) - left

    async def _apply_alone(self, callback_id: UUID) -> int:
        """Returns how many are left for later."""
        try:
            async with work(self._db) as current:
                return await self._apply(current, await current.connection.fetch(_TAKE_ONE, callback_id))
        except Exception as error:
            if _may_pass(error):
                raise
            log.error("callback cannot be applied", callback=str(callback_id), error=type(error).__name__)
            async with work(self._db) as current:
                await current.connection.execute(_RAISED, [callback_id], ["failed"], [type(error).__name__])
            return 0

    async def _apply(self, current: Work, rows: Sequence[asyncpg.Record]) -> int:
        """Returns how many are left for later."""
        if not rows:
            return 0
        told: list[_Told] = []
        raised: dict[UUID, tuple[str, str]] = {}
        for row in rows:
            try:
                reports = self._read(row)
            except UnreadableCallback as error:
                raised[row["id"]] = ("failed", str(error))
            else:
                # One that tells nothing of interest has been applied as well.
                told += [_Told(row["id"], row["connection_id"], row["received_at"], report) for report in reports]
        matched = await _match(current, told)
        raised |= dict.fromkeys(matched.strange, ("unmatched", "no shipment of ours"))
        await facts.apply(current, matched.facts, shipments=matched.shipments, now=self._now(), pace=self._pace)
        if raised:
            columns = zip(*((callback_id, *outcome) for callback_id, outcome in raised.items()), strict=True)
            await current.connection.execute(_RAISED, *columns)
        if matched.busy:
            await current.connection.execute(_LEAVE, [*matched.busy])
            rows = [row for row in rows if row["id"] not in matched.busy]
        self._count(rows, raised)
        return len(matched.busy)

    def _read(self, row: asyncpg.Record) -> Sequence[Report]:
        carrier = CARRIERS[row["carrier"]]
        headers = _headers(row["headers"])
        message = CallbackMessage(row["body"], headers.get("content-type", ""), headers)
        if carrier.checks_callbacks:
            credentials = self._vault.open(row["credentials"], owner_id=row["connection_id"])
            if not carrier.is_genuine(message, credentials):
                raise UnreadableCallback("the carrier's token is missing or another one")
        return carrier.read_callback(message)

    def _count(self, rows: Sequence[asyncpg.Record], raised: Mapping[UUID, tuple[str, str]]) -> None:
        for row in rows if raised else ():
            state, error = raised.get(row["id"], ("applied", ""))
            if state == "failed":
                log.warning("unreadable callback", callback=str(row["id"]), carrier=row["carrier"], error=error)
        became = Counter([(row["carrier"], raised[row["id"]][0] if row["id"] in raised else "applied") for row in rows])
        for labels, count in became.items():
            CALLBACKS.labels(*labels).inc(count)


async def _match(current: Work, told: Sequence[_Told]) -> _Matched:
    """Finds the parcels by the carrier's code, or by our reference, because a callback may come before the answer to the
    creation, and locks them.

    Those found by reference would be locked out of order, so none is waited for: a callback whose parcel is busy is left
    for the next batch, as a whole.
    """
    rows = await locked_by_waybill(
        current.connection, {each.connection_id for each in told}, [each.report.waybill for each in told]
    )
    shipments: dict[UUID, asyncpg.Record] = {row["id"]: row for row in rows}
    by_waybill: dict[tuple[UUID, str], UUID] = {(row["connection_id"], row["waybill"]): row["id"] for row in rows}
    found = [by_waybill.get((each.connection_id, each.report.waybill)) for each in told]
    busy: set[UUID] = set()
    if None in found:
        by_reference = await _by_reference(
            current, [each for each, known in zip(told, found, strict=True) if not known]
        )
        others = set(by_reference.values()) - shipments.keys()
        shipments |= {row["id"]: row for row in await locked(current.connection, [*others], wait=False)}
        found = [known or by_reference.get(_key(each)) for each, known in zip(told, found, strict=True)]
        busy = {each.callback_id for each, known in zip(told, found, strict=True) if known and known not in shipments}
    facts = [
        Fact(known, "callback", each.received_at, each.report)
        for each, known in zip(told, found, strict=True)
        if known is not None and each.callback_id not in busy
    ]
    strange: set[UUID] = set()
    if len(facts) < len(told):
        ours = {each.callback_id for each, known in zip(told, found, strict=True) if known is not None}
        strange = {each.callback_id for each in told} - ours
    return _Matched(shipments, facts, strange, busy)


def _key(told: _Told) -> tuple[UUID, str]:
    return told.connection_id, told.report.reference


async def _by_reference(current: Work, told: Sequence[_Told]) -> dict[tuple[UUID, str], UUID]:
    """Connection and reference → shipment."""
    keys = [_key(each) for each in told if each.report.reference]
    if not keys:
        return {}
    connections, references = zip(*keys, strict=True)
    rows = await current.connection.fetch(_BY_REFERENCE, listed(connections), references)
    return {keys[row["place"] - 1]: row["id"] for row in rows}


@lru_cache(maxsize=100)
def _headers(text: str) -> Mapping[str, str]:
    """A carrier sends the same with all its callbacks."""
    return MappingProxyType(orjson.loads(text))


def _may_pass(error: Exception) -> bool:
    """Whether the database is away. The driver's word for a value that cannot be stored looks like that, but is not."""
    return is_unavailable(error) and not isinstance(error, ValueError)
