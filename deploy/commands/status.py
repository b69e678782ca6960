"""`chot status`: which processes of the local stack run, where, and whether they are ready."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from deploy.terminal import addresses, console, running_stack

if TYPE_CHECKING:
    from deploy.local.state import MemberState

# Seconds a readiness page may take before the process counts as hanging; the pages give up on an engine after 2 s.
READY_TIMEOUT = 3.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status() -> None:
    """Show the running stack: processes, readiness, addresses. Exit status 1 if anything is not ready."""
    state = running_stack()
    verdicts = asyncio.run(judge(state.members))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("process", "state", "pid", "up for", "restarts", "log"):
        table.add_column(column, justify="right" if column in ("pid", "restarts") else "left")
    now = datetime.now(UTC)
    for name, member in state.members.items():
        verdict = verdicts[name]
        age = now - datetime.fromtimestamp(member.created, UTC)
        table.add_row(
            Text(name, style="bold"),
            Text(verdict, style="green" if verdict == "ready" else "red"),
            str(member.pid),
            str(timedelta(seconds=int(age.total_seconds()))),
            str(member.restarts),
            Text(os.path.relpath(member.log), overflow="fold"),
        )
    console.print(table)
    console.print()
    console.print(addresses(state))
    if any(verdict != "ready" for verdict in verdicts.values()):
        raise typer.Exit(1)


async def judge(members: dict[str, "MemberState"]) -> dict[str, str]:
    """Say of each member whether it is ready, or what is wrong."""
    return dict(zip(members, await asyncio.gather(*map(_judge, members.values())), strict=True))


async def _judge(member: "MemberState") -> str:
    from deploy.local.http_probe import status_of
    from deploy.local.state import alive

    if alive(member) is None:
        return "ended"
    if member.ready_url is None:
        return "ready"
    try:
        status = await status_of(member.ready_url, timeout=READY_TIMEOUT)
    except TimeoutError:
        return "hangs"
    except ConnectionError:
        return "does not answer"
    return "ready" if status == HTTPStatus.OK else "not ready"
