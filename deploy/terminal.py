"""What commands of `chot` share: the terminal and the stack they talk to."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from deploy.local.state import StackState

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def chot_directory() -> Path:
    """Return the directory of the local stack's data, logs, secrets and state: `.chot` in the present directory."""
    return Path.cwd() / ".chot"


def running_stack() -> "StackState":
    """Return the stack that runs here; without one the command ends with a sentence that says what to do.

    Raises:
        typer.Exit: no stack runs here.
    """
    from deploy.local.state import StateDirectory

    state = StateDirectory(chot_directory() / "run").running()
    if state is None:
        fail(f"No stack is running in {chot_directory()}. Start one with `make up`.")
    return state


def fail(message: str) -> NoReturn:
    """End the command with a message and exit status 1."""
    errors.print(Text(message, style="red"), soft_wrap=True)
    raise typer.Exit(1)


def addresses(state: "StackState") -> Table:
    """Return a table of where everything is."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for what, where in _pages(state):
        table.add_row(Text(what, style="bold"), Text(where))
    return table


def _pages(state: "StackState") -> list[tuple[str, str]]:
    programs = [("Dashboard", "reporting", "/")]
    programs += [(f"API of {name}", name, "/docs") for name in ("leads", "orders", "shipping", "reporting", "staff")]
    programs += [("GHTK simulator", "ghtk", "/docs"), ("Facebook simulator", "facebook", "/docs")]
    engines = [("PostgreSQL", "postgres"), ("NATS", "nats"), ("Temporal", "temporal")]
    return [
        *((title, f"{member.address}{page}") for title, name, page in programs if (member := state.member(name))),
        *([("Temporal UI", state.temporal_ui)] if state.temporal_ui else []),
        *((title, state.members[name].address) for title, name in engines if name in state.members),
    ]
