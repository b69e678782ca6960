"""What a benchmark shows, and the table of all of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Result:
    """Ours next to the limit of the same run.

    Args:
        job: what was done, in two or three words.
        unit: of `ours` and `limit`, e.g. 'requests/s' or 'ms (p99)'.
        limit_is: what the limit is.
        budget: the ratio ours ÷ limit that is asked for.
        better: whether a higher or a lower ratio is better.
        p50, p99: milliseconds of ours, where they mean something.
        memory: peak resident MiB of our process, where it was measured.
        note: the load, and how the cost grows: what happens at ten times the size.
    """

    job: str
    ours: float
    limit: float
    unit: str
    limit_is: str
    budget: float
    better: Literal["higher", "lower"] = "higher"
    p50: float | None = None
    p99: float | None = None
    memory: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.limit

    @property
    def met(self) -> bool:
        return self.ratio >= self.budget if self.better == "higher" else self.ratio <= self.budget


JOB_WIDTH: Final = 14
"""Characters of a line of a job's name: no word of one is longer."""


def show(results: list[Result], console: Console) -> None:
    """Prints the table."""
    caption = "p50, p99 in ms; peak memory in MiB"
    table = Table(
        title="Ours ÷ limit, both measured in this run", caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for name in ("Job", "Ours", "Limit", "Unit", "Ratio", "Budget", "p50", "p99", "Memory"):
        table.add_column(
            name,
            justify="left" if name in ("Job", "Unit") else "right",
            no_wrap=name != "Job",
            min_width=JOB_WIDTH if name == "Job" else None,
        )
    for result in results:
        sign = "≥" if result.better == "higher" else "≤"
        table.add_row(
            result.job,
            _figure(result.ours),
            _figure(result.limit),
            result.unit,
            f"[{'green' if result.met else 'red'}]{result.ratio:.2g}[/]",
            f"{sign} {result.budget:g}",
            *(_figure(value) for value in (result.p50, result.p99, result.memory)),
        )
    console.print(table)
    for result in results:
        console.print(f"{result.job}: the limit is {result.limit_is}; {result.note}.", style="dim", highlight=False)


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def write(results: list[Result], path: Path) -> None:
    """Writes the results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps([asdict(item) | {"ratio": item.ratio, "met": item.met} for item in results], indent=2) + "\n"
    )
