"""`chot demo`: a small company's day on a throw-away stack, with a carrier that makes mistakes; exit status 1 if a promise
was not kept."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import typer

from deploy.terminal import console, fail

WHERE_NEXT = """
Look around on a stack of your own:
  [bold]make up[/bold]             starts everything and prints the addresses
  Temporal UI         http://127.0.0.1:8233  each order's care says who must do what by when
  API pages           http://127.0.0.1:8101/docs (leads) … 8105 (staff)
  Dashboard           http://127.0.0.1:8104
The tour is in README.md.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo() -> None:
    """Play a small company's day: import, distribution, calls, parcels, money; then check that nothing was lost."""
    import httpx

    from deploy.local.demo.api import Refused
    from deploy.local.demo.story import SETTINGS, GaveUp, Story, show
    from deploy.local.process import ProcessFailed
    from deploy.local.stack import Stack

    async def play() -> bool:
        with tempfile.TemporaryDirectory(prefix="chot-demo-") as directory:
            with console.status("starting PostgreSQL, NATS, Temporal and the services …"):
                stack = Stack(Path(directory), ephemeral=True, settings=SETTINGS)
                await stack.start()
            try:
                console.print(
                    "[green]✓[/green] PostgreSQL, NATS JetStream, Temporal, five services and the workflow worker run"
                )
                async with httpx.AsyncClient(timeout=30) as http:
                    facts, checks, funnel = await Story(stack, console, http).tell()
                show(facts, checks, funnel, console)
                return all(check.holds for check in checks)
            finally:
                await stack.stop()

    try:
        kept = asyncio.run(play())
    except (Refused, GaveUp, ProcessFailed, httpx.HTTPError) as error:
        fail(f"The demo stopped: {error}")
    console.print(WHERE_NEXT)
    if not kept:
        raise typer.Exit(1)
