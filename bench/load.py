"""A load generator cheap enough that the server, not it, is what is measured: prepared requests over raw sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True)
class LoadResult:
    """What a run of requests showed.

    Args:
        requests: answered.
        seconds: wall time of the whole run.
        latencies: seconds of each request, sorted.
        statuses: HTTP status → count.
    """

    requests: int
    seconds: float
    latencies: Sequence[float]
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds below which this share of the requests was answered."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


def request(
    path: str, body: bytes, *, host: str, headers: dict[str, str] | None = None, content_type: str = "application/json"
) -> bytes:
    """One prepared POST."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def run_load(host: str, port: int, make: Callable[[int], bytes], *, count: int, connections: int) -> LoadResult:
    """Sends `count` requests over kept-open connections, each waiting for its answer before it sends the next.

    Args:
        make: number of the request → its bytes.
    """
    numbers = iter(range(count))
    latencies: list[float] = []
    statuses: dict[int, int] = {}

    async def work() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            for number in numbers:
                data = make(number)
                started = time.perf_counter()
                writer.write(data)
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.split(b"\r\n")[1:]:
                    if line[:15].lower() == b"content-length:":
                        length = int(line[15:])
                if length:
                    await reader.readexactly(length)
                latencies.append(time.perf_counter() - started)
                status = int(head[9:12])
                statuses[status] = statuses.get(status, 0) + 1
        finally:
            writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return LoadResult(len(latencies), time.perf_counter() - started, sorted(latencies), statuses)


Load = Callable[[int], Awaitable[LoadResult]]
"""Sends so many requests."""


def load(port: int, make: Callable[[int, str], bytes], *, connections: int) -> Load:
    """A load on a port of this machine, over rounds: no number comes twice.

    Args:
        make: number and host → the bytes of a request.
    """
    numbers = count()

    async def send(size: int) -> LoadResult:
        host = f"127.0.0.1:{port}"
        return await run_load(
            "127.0.0.1", port, lambda _: make(next(numbers), host), count=size, connections=connections
        )

    return send
