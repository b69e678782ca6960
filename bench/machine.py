"""The engines of a run and the processes that are measured."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import psutil

from deploy.local.engines import Nats, Postgres, Temporal

READY_WITHIN = 60.0
LOG = 960 << 20
"""Bytes: PostgreSQL's `max_wal_size` is 1 GB, beyond which it keeps no files for reuse."""
MESSAGE = 15 << 20


@dataclass
class Machine:
    """Real engines with their production settings (every commit and message reaches the disk)."""

    postgres: Postgres
    nats: Nats
    temporal: Temporal
    directory: Path

    async def database(self, name: str, schema: str = "") -> str:
        """A new database with some tables; returns its URL."""
        await self.postgres.create_database(name)
        url = self.postgres.database_url(name)
        if schema:
            connection = await asyncpg.connect(url)
            await connection.execute(schema)
            await connection.close()
        return url


@asynccontextmanager
async def machine(directory: Path) -> AsyncIterator[Machine]:
    """Engines for one run, thrown away afterwards."""
    engines = Machine(
        postgres=Postgres(data_dir=directory / "postgres", log_path=directory / "postgres.log", port=free_port()),
        nats=Nats(data_dir=directory / "nats", log_path=directory / "nats.log", port=free_port()),
        temporal=Temporal(data_dir=directory / "temporal", log_path=directory / "temporal.log", port=free_port()),
        directory=directory,
    )
    started: list[Postgres | Nats | Temporal] = []
    try:
        for engine in (engines.postgres, engines.nats, engines.temporal):
            await engine.start()
            started.append(engine)
        await _as_at_work(engines.postgres)
        yield engines
    finally:
        for engine in reversed(started):
            await engine.remove()


async def _as_at_work(postgres: Postgres) -> None:
    """Has a new server write so much that it goes on in log files that it has used before, as every server at work does.

    Each new one is filled with zeros and brought to the disk before its first use: twice the writing, by whichever job
    happens to come to its end.
    """
    connection = await asyncpg.connect(postgres.url)
    for _ in range(0, LOG, MESSAGE):
        await connection.execute("SELECT pg_logical_emit_message(false, 'bench', repeat('-', $1))", MESSAGE)
    await connection.execute("CHECKPOINT")
    await connection.close()


def free_port() -> int:
    """A port that is free now, on the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Measured:
    """A process under measurement."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def memory(self) -> float:
        """Resident MiB now."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    @property
    def peak_memory(self) -> float:
        """The most resident MiB so far; where the system does not keep it, what is resident now."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return self.memory
        kibibytes = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(kibibytes) / 1024


@asynccontextmanager
async def python(arguments: list[str], *, port: int, path: str, env: dict[str, str]) -> AsyncIterator[Measured]:
    """A Python process that serves HTTP; yielded once `path` answers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, **env}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(READY_WITHIN):
            while True:
                if process.returncode is not None:
                    raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
                try:
                    if (await client.get(f"http://127.0.0.1:{port}{path}")).status_code < 500:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
        yield Measured(process, port)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()
                await process.wait()


async def migrate(service: str, env: dict[str, str]) -> None:
    """Brings a service's database to its newest schema."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"services.{service}",
        "migrate",
        env={**os.environ, **env},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"migration of {service} failed: {errors.decode()[-2000:]}")
