"""An Excel import from the upload to the last verdict, against calamine's reading and a COPY of the same rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import psutil
from temporalio.client import Client

from bench import workbooks
from bench.machine import Machine, Measured, free_port, migrate, python
from bench.pairs import in_turns, median
from bench.result import Result
from bench.tokens import issuer
from shared.contracts import ids
from shared.contracts.permissions import LEADS_IMPORT
from shared.contracts.workflows import IMPORT, WORKFLOW_QUEUE, ImportInput
from shared.temporal import plugin

HEADER: Final = ("STT", "SĐT", "Tên", "Sản phẩm", "Nguồn", "Chiến dịch", "Địa chỉ", "Ghi chú", "Ngày", "Mã")
SCHEMA: Final = f"CREATE TABLE sheet ({', '.join(f'c{index} text' for index in range(len(HEADER)))})"
ROUNDS: Final = 5
LOOK: Final = 0.05


def rows(round: int, size: int) -> Iterator[tuple[str, ...]]:
    """A list as marketing buys it; one row in ten repeats a number of the same list."""
    yield HEADER
    for number in range(size):
        digits = f"{round * 10_000_000 + (number if number % 10 else number // 2):08d}"
        phone = (f"09{digits}", f"+849{digits}", f"09{digits[:2]}.{digits[2:5]}.{digits[5:]}")[number % 3]
        yield (
            str(number + 1),
            phone,
            f"Nguyễn Thị Khách {number}",
            "SERUM-30",
            "Facebook",
            "Khai trương tháng 11",
            f"{number} Lê Lợi, phường Sài Gòn, TP. Hồ Chí Minh",
            "Gọi sau 17 giờ",
            "2026-11-21",
            f"KH{number:06d}",
        )


async def run(machine: Machine, size: int) -> Result:
    """`size` rows each way, in turns."""
    files = [machine.directory / f"import-{round}.xlsx" for round in range(ROUNDS)]
    for round, path in enumerate(files, 1):
        await asyncio.to_thread(workbooks.write, path, rows(round, size))
    ours_files, limit_files = iter(files), iter(files)
    url = await machine.database("bench_imports_bare", SCHEMA)
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(_desk(machine))
        pairs = await in_turns(
            ours=lambda: desk.take_in(next(ours_files), size),
            limit=lambda: workbooks.read_and_copy(url, next(limit_files)),
            rounds=ROUNDS,
        )
        shown = median(pairs, lambda seconds: seconds)
        return Result(
            job=f"import of {size // 1000}k rows",
            ours=shown.ours,
            limit=shown.limit,
            unit="s",
            limit_is="calamine's reading and a COPY of the same cells",
            budget=4,
            better="lower",
            memory=desk.peak,
            note="leads with verdicts, windows and events written; the peak is that of whichever process had most, the parser "
            "added to its parent; twice the rows cost twice the time and the same memory but for the parser",
        )


class _Desk:
    def __init__(self, machine: Machine, client: httpx.AsyncClient, api: Measured, workers: list[Measured]) -> None:
        self._machine = machine
        self._client = client
        self._api = api
        self._workers = workers
        self._with_parser = 0.0

    @property
    def peak(self) -> float:
        """MiB of the process that had most."""
        return max(self._with_parser, *(worker.peak_memory for worker in (self._api, *self._workers)))

    async def take_in(self, path: Path, size: int) -> float:
        """Seconds from the upload to the last verdict."""
        content = await asyncio.to_thread(path.read_bytes)
        started = time.perf_counter()
        watching = asyncio.create_task(self._watch())
        answer = await self._client.post("/v1/imports", files={"file": (path.name, content)})
        watching.cancel()
        if answer.status_code != 201:
            raise RuntimeError(f"the workbook was not taken in: {answer.text}")
        import_id = answer.json()["id"]
        # Past the relay, whose publishing of a hundred thousand events is not part of this job.
        temporal = await Client.connect(self._machine.temporal.url, plugins=[plugin()])
        outcome = await temporal.execute_workflow(
            IMPORT.name, ImportInput(import_id=import_id), id=ids.import_id(import_id), task_queue=WORKFLOW_QUEUE
        )
        taken = time.perf_counter() - started
        done = (await self._client.get(f"/v1/imports/{import_id}")).json()
        if outcome != "done" or done["rows_done"] != size or done["leads"] < size * 0.8:
            raise RuntimeError(f"not every row was taken in: {done}")
        return taken

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
async def _desk(machine: Machine) -> AsyncIterator[_Desk]:
    url = await machine.database("bench_imports")
    async with AsyncExitStack() as stack:
        tokens = await stack.enter_async_context(issuer())
        env = {
            "CHOT_DATABASE_URL": url,
            "CHOT_NATS_URL": machine.nats.url,
            "CHOT_JWKS_URL": tokens.jwks_url,
            "CHOT_LOG_LEVEL": "warning",
            "TEMPORAL_ADDRESS": machine.temporal.url,
        }
        await migrate("leads", env)

        async def started(*arguments: str) -> Measured:
            port = free_port()
            with_port = {**env, "CHOT_HTTP_PORT": str(port)}
            return await stack.enter_async_context(python(["-m", *arguments], port=port, path="/livez", env=with_port))

        api = await started("services.leads", "api")
        workers = [await started("services.leads", "activities"), await started("workflows.worker")]
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{api.port}",
                headers={"Authorization": f"Bearer {tokens.token(LEADS_IMPORT)}"},
                timeout=120,
            )
        )
        yield _Desk(machine, client, api, workers)
