"""`python -m bench [JOB …]`: measures ours and its limit in one run, prints the table and writes it as JSON."""

from __future__ import annotations

import importlib
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from bench import result
from bench.machine import machine
from bench.result import Result
from shared.lifecycle import collect_rarely
from shared.telemetry import configure_logging

SIZES = {
    "memory": 1,
    "intake": 6000,
    "callbacks": 6000,
    "applied": 100_000,
    "events": 3600,
    "care": 450,
    "due_at_once": 450,
    "distribution": 10_000,
    "due_list": 100_000,
    "imports": 100_000,
    "statement": 100_000,
    "calendar": 50_000,
    "polling": 100_000,
}
"""Job → how many requests, events, orders, leads, rows or processes: long enough that start-up does not show. In the order in
which they run: what the others leave in streams and task queues is work, and a process that does it is not idle."""

RESULTS = Path(__file__).parent / "results"


async def _run(jobs: list[str], console: Console) -> list[Result]:
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="chot-bench-") as directory:
        async with machine(Path(directory)) as engines:
            for job in jobs:
                with console.status(f"measuring {job} …"):
                    module = importlib.import_module(f"bench.jobs.{job}")
                    collect_rarely()  # as every process of the product does at its start
                    results.append(await module.run(engines, SIZES[job]))
                sign = "[green]✓[/green]" if results[-1].met else "[red]✗[/red]"
                console.print(f"{sign} {job}: {results[-1].ratio:.3g}")
    return results


def main(
    jobs: Annotated[list[str] | None, typer.Argument(help=f"some of: {', '.join(SIZES)}; none = all")] = None,
) -> None:
    """Benchmarks as ratios to a limit measured in the same run; a missed budget ends in exit code 1."""
    configure_logging("bench", "bench", format="console", level="error")
    console = Console()
    unknown = [job for job in jobs or () if job not in SIZES]
    if unknown:
        console.print(f"[red]There is no benchmark '{unknown[0]}'.[/red] Take some of: {', '.join(SIZES)}.")
        raise typer.Exit(2)
    results = uvloop.run(_run([job for job in SIZES if not jobs or job in jobs], console))
    result.show(results, console)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    result.write(results, path)
    console.print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    if not all(item.met for item in results):
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
