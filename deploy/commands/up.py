"""`chot up`: the whole product on this machine, until Ctrl-C."""

import asyncio
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from deploy.terminal import addresses, chot_directory, console, errors, fail

if TYPE_CHECKING:
    from deploy.local.stack import Stack

# The terminal is closed, somebody asks politely, Ctrl-C.
END_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up() -> None:
    """Run engines, services and the carrier simulator on this machine until Ctrl-C; data are kept in .chot."""
    from deploy.local.engines import EngineMissing
    from deploy.local.process import ProcessFailed
    from deploy.local.stack import Stack
    from deploy.local.state import StackRunning

    stack = Stack(chot_directory(), reporter=TerminalReporter())
    try:
        asyncio.run(run_until_signal(stack))
    except StackRunning as error:
        errors.print(Text(str(error), style="red"), soft_wrap=True)
        if error.state is not None:
            errors.print(addresses(error.state))
        raise typer.Exit(1) from None
    except (EngineMissing, ProcessFailed, OSError) as error:
        fail(str(error))


async def run_until_signal(stack: "Stack") -> None:
    """Start the stack, say where everything is, and stop it at the first signal, also while it still starts."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in END_SIGNALS:
        loop.add_signal_handler(number, ended.set)
    start = asyncio.create_task(stack.start())
    signalled = asyncio.create_task(ended.wait())
    await asyncio.wait({start, signalled}, return_when=asyncio.FIRST_COMPLETED)
    if start.done():
        # Raises what went wrong; the stack has stopped itself then.
        start.result()
        welcome(stack)
        await signalled
        say("Stopping…")
        await stack.stop()
    else:
        say("Stopping…")
        start.cancel()
        with suppress(asyncio.CancelledError):
            await start
    say("Everything has stopped.")


def welcome(stack: "Stack") -> None:
    """Say where everything is."""
    say("")
    say(addresses(stack.state()))
    say("")
    say(f"Sign in as admin with the password {stack.keys.bootstrap_password()}")
    # The command as it was typed: the environment it lies in need not be on the path.
    say(f"Look inside with `{sys.argv[0]} status` and `{sys.argv[0]} logs`.")
    say("Ctrl-C stops everything; data stay in .chot.")


def say(what: str | Text | Table) -> None:
    """Print something, if there is still somebody to read it.

    A terminal that was closed must not keep the stack from running or from stopping in order; Rich ends the program
    (SystemExit) when it writes to a closed pipe.
    """
    with suppress(OSError, SystemExit):
        console.print(Text(what) if isinstance(what, str) else what, soft_wrap=True)


class TerminalReporter:
    """Says on the terminal what happens to the stack."""

    def milestone(self, text: str) -> None:
        say(Text.assemble(("✓ ", "green"), text))

    def problem(self, text: str) -> None:
        say(Text.assemble(("✗ ", "red"), text))
