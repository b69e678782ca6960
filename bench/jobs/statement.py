"""A carrier's statement from the upload until every line has its parcel, against calamine's reading and a COPY of its rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import httpx
import psutil
from temporalio.client import Client
from uuid_utils.compat import uuid7

from bench import workbooks
from bench.machine import Machine, Measured, free_port, migrate, python
from bench.pairs import in_turns, median
from bench.result import Result
from bench.tokens import issuer
from deploy.local.keys import Keys
from shared.contracts import ids
from shared.contracts.permissions import SEE_ALL, SHIPPING_READ, SHIPPING_WRITE
from shared.contracts.workflows import SETTLEMENT, WORKFLOW_QUEUE, SettlementInput
from shared.temporal import plugin

HEADER: Final = (
    "Mã đơn hàng", "Mã đơn hàng shop", "Trạng thái", "Ngày hoàn thành", "Tiền thu hộ", "Phí giao hàng", "Phí bảo hiểm",
    "Phí chuyển hoàn", "Thanh toán", "Ghi chú",
)  # fmt: skip
SCHEMA: Final = f"CREATE TABLE sheet ({', '.join(f'c{index} text' for index in range(len(HEADER)))})"
ROUNDS: Final = 3
LOOK: Final = 0.05
COD: Final = 350_000
FEE: Final = 22_000
FAULTS: Final = 100
"""One line in so many pays too little."""

_CONNECT: Final = """
INSERT INTO carrier_connections (id, carrier, shop_name, base_url, credentials, callback_secret_hash, pick_up,
    requests_per_second)
VALUES ($1, 'ghtk', 'Shop', 'http://127.0.0.1:9', '\\x00', sha256('bench'), '{}', 10)
"""
_AGREE: Final = """
INSERT INTO cod_contracts (connection_id, proof, days_to_pay, days_to_compensate, days_to_credit, fee_check,
    fee_tolerance, updated_by)
VALUES ($1, 'statement', 10, 30, 3, 'delivery', 0, 'bench')
"""
_SHIP: Final = f"""
WITH parcel AS (
    SELECT number, uuidv7() AS id, uuidv7() AS order_id, $2 || number AS waybill, 'DH-' || $2 || number AS code
    FROM generate_series(1, $3) AS number
), ordered AS (
    INSERT INTO shippable_orders (order_id, version, code, cod, goods_value)
    SELECT order_id, 1, code, {COD}, 300000 FROM parcel
), shipped AS (
    INSERT INTO shipments (id, order_id, connection_id, reference, waybill, status, status_at, cod, fee, accepted_at,
        handed_over_at, delivered_at, next_poll_at)
    SELECT id, order_id, $1, code || '-1', waybill, 'delivered', now(), {COD}, {FEE}, now(), now(), now(), now()
    FROM parcel
)
INSERT INTO creation_attempts (reference, shipment_id, order_id, number, state, waybill)
SELECT code || '-1', id, order_id, 1, 'accepted', waybill FROM parcel
"""


def rows(round: int, size: int) -> Iterator[tuple[str, ...]]:
    """A settlement workbook as GHTK's."""
    yield HEADER
    for number in range(1, size + 1):
        cod = COD if number % FAULTS else COD - 50_000
        yield (
            f"R{round}.{number}",
            f"DH-R{round}.{number}-1",
            "Đã đối soát",
            "2026-11-21",
            f"{cod:,}".replace(",", "."),
            f"{FEE:,}".replace(",", "."),
            "0",
            "0",
            f"{cod - FEE:,}".replace(",", "."),
            "Nguyễn Thị Khách, phường Sài Gòn",
        )


async def run(machine: Machine, size: int) -> Result:
    """`size` lines each way, in turns."""
    files = [machine.directory / f"statement-{round}.xlsx" for round in range(ROUNDS)]
    for round, path in enumerate(files):
        await asyncio.to_thread(workbooks.write, path, rows(round, size))
    ours_files, limit_files = iter(files), iter(files)
    url = await machine.database("bench_statement_bare", SCHEMA)
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(_desk(machine, size))
        pairs = await in_turns(
            ours=lambda: desk.take_in(next(ours_files), size),
            limit=lambda: workbooks.read_and_copy(url, next(limit_files)),
            rounds=ROUNDS,
        )
        shown = median(pairs, lambda seconds: seconds)
        return Result(
            job=f"statement of {size // 1000}k lines matched",
            ours=shown.ours,
            limit=shown.limit,
            unit="s",
            limit_is="calamine's reading and a COPY of the same cells",
            budget=4,
            better="lower",
            memory=desk.peak,
            note=f"lines kept, each with its parcel; {desk.compared:.1f} s until the last was compared in the background, its "
            "difference named or its money home, with its event and its workflow's nudge; the peak is that of whichever "
            "process had most, the parser added to its parent; twice the lines cost twice the time and the same memory "
            "but for the parser",
        )


class _Desk:
    def __init__(
        self,
        machine: Machine,
        client: httpx.AsyncClient,
        connection_id: UUID,
        api: Measured,
        workers: list[Measured],
    ) -> None:
        self._machine = machine
        self._client = client
        self._connection_id = connection_id
        self._api = api
        self._workers = workers
        self._with_parser = 0.0
        self.compared = 0.0

    @property
    def peak(self) -> float:
        """MiB of the process that had most."""
        return max(self._with_parser, *(worker.peak_memory for worker in (self._api, *self._workers)))

    async def take_in(self, path: Path, size: int) -> float:
        """Seconds from the upload until every line has its parcel; goes on until the last is compared."""
        content = await asyncio.to_thread(path.read_bytes)
        started = time.perf_counter()
        watching = asyncio.create_task(self._watch())
        answer = await self._client.post(
            "/v1/cod/statements", files={"file": (path.name, content)}, data={"connection_id": str(self._connection_id)}
        )
        watching.cancel()
        if answer.status_code != 201:
            raise RuntimeError(f"the statement was not taken in: {answer.text}")
        matched = time.perf_counter() - started
        statement_id = answer.json()["id"]
        # Past the relay, whose publishing of a hundred thousand events is not part of this job.
        temporal = await Client.connect(self._machine.temporal.url, plugins=[plugin()])
        await temporal.execute_workflow(
            SETTLEMENT.name,
            SettlementInput(statement_id=statement_id),
            id=ids.settlement_id(statement_id),
            task_queue=WORKFLOW_QUEUE,
        )
        self.compared = time.perf_counter() - started
        done = (await self._client.get(f"/v1/cod/statements/{statement_id}")).json()
        if done["state"] != "matched" or done["matched"] != size or done["open_differences"] != size // FAULTS:
            raise RuntimeError(f"not every line was compared: {done}")
        return matched

    async def _watch(self) -> None:
        """The memory of the process that takes the upload, with its parser."""
        api = psutil.Process(self._api.process.pid)
        while True:
            held = api.memory_info().rss
            for child in api.children():
                try:
                    held += child.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self._with_parser = max(self._with_parser, held / 2**20)
            await asyncio.sleep(LOOK)


@asynccontextmanager
async def _desk(machine: Machine, size: int) -> AsyncIterator[_Desk]:
    url = await machine.database("bench_statement")
    async with AsyncExitStack() as stack:
        tokens = await stack.enter_async_context(issuer())
        env = {
            "CHOT_DATABASE_URL": url,
            "CHOT_NATS_URL": machine.nats.url,
            "CHOT_JWKS_URL": tokens.jwks_url,
            "CHOT_CREDENTIALS_KEY": Keys(machine.directory).credentials_key(),
            "CHOT_LOG_LEVEL": "warning",
            "TEMPORAL_ADDRESS": machine.temporal.url,
        }
        await migrate("shipping", env)
        connection_id = uuid7()
        connection = await asyncpg.connect(url)
        await connection.execute(_CONNECT, connection_id)
        await connection.execute(_AGREE, connection_id)
        for round in range(ROUNDS):
            await connection.execute(_SHIP, connection_id, f"R{round}.", size)
        await connection.execute("ANALYZE")
        await connection.close()

        async def started(*arguments: str) -> Measured:
            port = free_port()
            with_port = {**env, "CHOT_HTTP_PORT": str(port)}
            return await stack.enter_async_context(python(["-m", *arguments], port=port, path="/livez", env=with_port))

        api = await started("services.shipping", "api")
        workers = [await started("services.shipping", "activities"), await started("workflows.worker")]
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{api.port}",
                headers={"Authorization": f"Bearer {tokens.token(SHIPPING_READ, SHIPPING_WRITE, SEE_ALL)}"},
                timeout=120,
            )
        )
        yield _Desk(machine, client, connection_id, api, workers)
