"""`chot dead-letters`, `chot republish`, `chot reconcile`, `chot promises`: looking after messages, workflows and promises."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from deploy.terminal import console, fail, running_stack

SERVICES: Final = ("leads", "orders", "shipping", "reporting", "staff")

ServiceOption = Annotated[
    str | None,
    typer.Option("--service", "-s", help=f"one of {', '.join(SERVICES)}; without it, all of the local stack"),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("dead-letters")(dead_letters)
    app.command()(republish)
    app.command()(reconcile)
    app.command()(promises)


def dead_letters(
    service: ServiceOption = None,
    replay: Annotated[list[UUID] | None, typer.Option(help="try this one again; may be repeated")] = None,
    replay_all: Annotated[bool, typer.Option("--replay-all", help="try all of them again")] = False,
) -> None:
    """Show messages that were set aside because they failed again and again, or try them again."""
    from shared import dead_letters as letters

    async def work(definition: Any, runtime: Any) -> tuple[list[letters.DeadLetter], list[letters.Replayed]]:
        async with runtime.db.read() as session:
            found = await letters.list_open(session, limit=200)
        chosen = [letter.id for letter in found if replay_all or letter.id in (replay or ())]
        replayed = await letters.replay(runtime.db, definition.name, definition.all_handlers(), chosen, by="chot")
        return found, replayed

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("service", "id", "source", "type", "subject", "since", "tries", "error"):
        table.add_column(column, overflow="fold")
    outcomes: list[tuple[str, letters.Replayed]] = []
    count = 0
    for name in _names(service):
        found, replayed = asyncio.run(_with_runtime(name, work))
        count += len(found)
        outcomes += [(name, item) for item in replayed]
        for letter in found:
            since = f"{letter.created_at:%Y-%m-%d %H:%M}"
            table.add_row(
                name,
                str(letter.id),
                letter.source,
                letter.type,
                letter.subject,
                since,
                str(letter.attempts),
                letter.error,
            )
    if not count:
        console.print("[green]No dead letters.[/green]")
        return
    if not outcomes:
        console.print(table)
        console.print(
            "\nAfter the cause is mended: [bold]chot dead-letters --replay ID[/bold] or [bold]--replay-all[/bold]."
        )
        return
    for name, outcome in outcomes:
        console.print(Text(f"{'✓' if outcome.ok else '✗'} {name} {outcome.id}: {outcome.detail}"))
    if not all(outcome.ok for _, outcome in outcomes):
        raise typer.Exit(1)


def republish(
    since: Annotated[str, typer.Option(help="ISO 8601 with a zone (2026-11-21T09:00+07:00), or an age: 90m, 6h, 2d")],
    service: ServiceOption = None,
) -> None:
    """Send events again since a moment. Consumers drop what they know, so it is safe to send too much."""
    from shared import dead_letters as letters
    from shared.retention import REPUBLISH_HORIZON

    moment = _moment(since)
    if datetime.now(UTC) - moment > REPUBLISH_HORIZON:
        fail(f"Events are kept for {REPUBLISH_HORIZON.days} days: choose a later moment.")

    async def work(_: Any, runtime: Any) -> int:
        return await letters.republish(runtime.db, moment)

    for name in _names(service):
        console.print(f"{name}: {asyncio.run(_with_runtime(name, work))} events handed to the relay")


def reconcile(service: ServiceOption = None) -> None:
    """Compare the databases with the workflows, and start or wake every workflow that is missing or behind."""
    from shared.temporal import leave

    async def work(definition: Any, runtime: Any) -> dict[str, int] | None:
        if definition.reconcile is None:
            return None
        return dict(await definition.reconcile(runtime.db, runtime.temporal))

    for name in _names(service):
        counts = asyncio.run(_with_runtime(name, work))
        if counts is not None:
            console.print(f"{name}: {reconciled(counts)}", soft_wrap=True)
    leave(0)


def reconciled(counts: Mapping[str, int]) -> str:
    """What a comparison did, in words."""
    done = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items() if count)
    kinds = ", ".join(what.replace("_", " ") for what in counts)
    return f"started or woke {done}" if done else f"nothing is missing or behind ({kinds})"


def promises() -> None:
    """Prove that no promise was dropped: everything open has a task or a timer that comes back to it."""
    from services.orders.promises.proof import look
    from shared.temporal import leave

    async def work(_: Any, runtime: Any) -> Any:
        now = datetime.now(UTC)
        return await look(runtime.db, runtime.temporal, day=now.date(), now=now)

    proof = asyncio.run(_with_runtime("orders", work))
    console.print(
        f"orders: {proof.open_promises} open promises, {proof.orders_in_care} orders in care; "
        f"{proof.without_timer} without timer, {proof.open_without_task} without task, "
        f"{'?' if proof.without_workflow is None else proof.without_workflow} without workflow",
        soft_wrap=True,
    )
    console.print(_verdict(proof))
    for finding in proof.findings:
        since = f" since {finding.since:%Y-%m-%d %H:%M} UTC" if finding.since else ""
        console.print(f"{finding.kind.replace('_', ' ')}: order {finding.order_id}{since}")
    leave(0 if proof.holds else 1)


def _verdict(proof: Any) -> str:
    if proof.holds:
        return "[green]No promise was dropped.[/green]"
    if proof.without_workflow is None:
        return "[yellow]Temporal does not answer, so nobody can say whether every care has its workflow.[/yellow]"
    return "[red]Promises were dropped.[/red] docs/orders/tasks-and-promises.md says what to do."


def _names(service: str | None) -> tuple[str, ...]:
    if service is None:
        if "CHOT_DATABASE_URL" in os.environ:
            fail("CHOT_DATABASE_URL names one service's database: say which with --service.")
        return SERVICES
    if service not in SERVICES:
        fail(f"There is no service '{service}'. Take one of: {', '.join(SERVICES)}.")
    return (service,)


def _moment(text: str) -> datetime:
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if text[-1:] in units and text[:-1].isdigit():
        return datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"'{text}' is no moment. Write 2026-11-21T09:00+07:00, or an age like 90m, 6h or 2d.")
    if moment.tzinfo is None:
        fail(f"'{text}' has no zone. Write 2026-11-21T09:00+07:00.")
    return moment


async def _with_runtime(name: str, work: Any) -> Any:
    """Runs `work(service definition, runtime)` on a service's own settings: those of the environment where they are set
    (as in a pod), else those of the local stack."""
    definition = importlib.import_module(f"services.{name}.app").SERVICE
    with _environment(name):
        async with definition.runtime(definition.settings()) as runtime:
            return await work(definition, runtime)


@contextmanager
def _environment(name: str) -> Iterator[None]:
    if "CHOT_DATABASE_URL" in os.environ:
        yield
        return
    member = running_stack().member(name)
    if member is None:
        fail(f"The running stack has no service {name}.")
    before = dict(os.environ)
    os.environ.update(member.env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
