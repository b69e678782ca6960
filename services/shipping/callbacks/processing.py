"""Reads stored callbacks and applies them to the timelines, in batches."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Final, TypeAlias
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
from services.shipping.rows import listed
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
SELECT r.id, r.connection_id, r.body, r.received_at, r.headers::text AS headers, c.carrier, c.credentials
FROM callbacks_raw r JOIN carrier_connections c ON c.id = r.connection_id
WHERE r.state = 'received' ORDER BY r.id LIMIT $1 FOR UPDATE OF r SKIP LOCKED
"""
_TAKE_ONE: Final = """
SELECT r.id, r.connection_id, r.body, r.received_at, r.headers::text AS headers, c.carrier, c.credentials
FROM callbacks_raw r JOIN carrier_connections c ON c.id = r.connection_id
WHERE r.state = 'received' AND r.id = $1 FOR UPDATE OF r SKIP LOCKED
"""
_BY_WAYBILL: Final = """
SELECT r.place, s.id FROM unnest($1::text::uuid[], $2::text[]) WITH ORDINALITY AS r(connection_id, waybill, place)
JOIN shipments s ON s.connection_id = r.connection_id AND s.waybill = r.waybill AND s.waybill <> ''
"""
_BY_REFERENCE: Final = """
SELECT r.place, s.id FROM unnest($1::text::uuid[], $2::text[]) WITH ORDINALITY AS r(connection_id, reference, place)
JOIN creation_attempts a ON a.reference = r.reference
JOIN shipments s ON s.id = a.shipment_id AND s.connection_id = r.connection_id
"""
_APPLIED: Final = (
    "UPDATE callbacks_raw SET state = 'applied', error = '', processed_at = now() WHERE id = ANY($1::text::uuid[])"
)
_RAISED: Final = """
UPDATE callbacks_raw c SET state = r.state, error = r.error, processed_at = now()
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS r(id, state, error) WHERE c.id = r.id
"""
# Their ids begin with the moment of their arrival; asked for once, so that the index is used.
_PURGE: Final = "DELETE FROM callbacks_raw WHERE state = 'applied' AND id < (SELECT uuidv7($1::interval))"


_Told: TypeAlias = "tuple[asyncpg.Record, Report]"
"""A callback, and one of its reports."""


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
                rows = await current.connection.fetch(_TAKE, BATCH)
                taken = [row["id"] for row in rows]
                await self._apply(current, rows)
        except Exception as error:
            if _may_pass(error) or not taken:
                raise
            # One of them cannot be stored as it was read; alone, it takes no other down with it.
            for callback_id in taken:
                await self._apply_alone(callback_id)
        return len(taken)

    async def _apply_alone(self, callback_id: UUID) -> None:
        try:
            async with work(self._db) as current:
                await self._apply(current, await current.connection.fetch(_TAKE_ONE, callback_id))
        except Exception as error:
            if _may_pass(error):
                raise
            log.error("callback cannot be applied", callback=str(callback_id), error=type(error).__name__)
            async with work(self._db) as current:
                await current.connection.execute(_RAISED, [callback_id], ["failed"], [type(error).__name__])

    async def _apply(self, current: Work, rows: Sequence[asyncpg.Record]) -> None:
        if not rows:
            return
        told: list[_Told] = []
        raised: dict[UUID, tuple[str, str]] = {}
        for row in rows:
            try:
                reports = self._read(row)
            except UnreadableCallback as error:
                raised[row["id"]] = ("failed", str(error))
            else:
                told += [(row, report) for report in reports]
        matched = await self._match(current, told)
        if len(matched) < len(told):
            ours = {told[place][0]["id"] for place in matched}
            # One that tells nothing of interest has been applied as well.
            raised |= {row["id"]: ("unmatched", "no shipment of ours") for row, _ in told if row["id"] not in ours}
        about = [(*told[place], shipment_id) for place, shipment_id in matched.items()]
        await facts.apply(
            current,
            [Fact(shipment_id, "callback", row["received_at"], report) for row, report, shipment_id in about],
            now=self._now(),
            pace=self._pace,
        )
        applied = [row["id"] for row in rows if row["id"] not in raised]
        if applied:
            await current.connection.execute(_APPLIED, listed(applied))
        if raised:
            columns = zip(*((callback_id, *outcome) for callback_id, outcome in raised.items()), strict=True)
            await current.connection.execute(_RAISED, *columns)
        self._count(rows, raised)

    def _read(self, row: asyncpg.Record) -> Sequence[Report]:
        carrier = CARRIERS[row["carrier"]]
        headers = _headers(row["headers"])
        message = CallbackMessage(row["body"], headers.get("content-type", ""), headers)
        if carrier.checks_callbacks:
            credentials = self._vault.open(row["credentials"], owner_id=row["connection_id"])
            if not carrier.is_genuine(message, credentials):
                raise UnreadableCallback("the carrier's token is missing or another one")
        return carrier.read_callback(message)

    async def _match(self, current: Work, told: Sequence[_Told]) -> dict[int, UUID]:
        """Place in `told` → shipment: by the carrier's code, or by our reference, because a callback may come before the
        answer to the creation."""
        found: dict[int, UUID] = {}
        for statement, key in ((_BY_WAYBILL, attrgetter("waybill")), (_BY_REFERENCE, attrgetter("reference"))):
            wanted = {place: key(report) for place, (_, report) in enumerate(told) if place not in found}
            places = [place for place, code in wanted.items() if code]
            if places:
                connections = listed([told[place][0]["connection_id"] for place in places])
                keys = [wanted[place] for place in places]
                rows = await current.connection.fetch(statement, connections, keys)
                found |= {places[row["place"] - 1]: row["id"] for row in rows}
        return {place: found[place] for place in sorted(found)}

    def _count(self, rows: Sequence[asyncpg.Record], raised: Mapping[UUID, tuple[str, str]]) -> None:
        for row in rows if raised else ():
            state, error = raised.get(row["id"], ("applied", ""))
            if state == "failed":
                log.warning("unreadable callback", callback=str(row["id"]), carrier=row["carrier"], error=error)
        became = Counter([(row["carrier"], raised[row["id"]][0] if row["id"] in raised else "applied") for row in rows])
        for labels, count in became.items():
            CALLBACKS.labels(*labels).inc(count)


@lru_cache(maxsize=100)
def _headers(text: str) -> Mapping[str, str]:
    """A carrier sends the same with all its callbacks."""
    return MappingProxyType(orjson.loads(text))


def _may_pass(error: Exception) -> bool:
    """Whether the database is away. The driver's word for a value that cannot be stored looks like that, but is not."""
    return is_unavailable(error) and not isinstance(error, ValueError)
