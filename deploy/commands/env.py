"""`chot env` and `chot temporal`: the running stack's addresses for a shell, and Temporal's own command line."""

from __future__ import annotations

import os
import shlex

import typer

from deploy.terminal import running_stack

PROGRAMS = ("leads", "orders", "shipping", "reporting", "staff", "ghtk", "facebook")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(env)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
        temporal
    )


def env() -> None:
    """Print the stack's addresses as shell variables: eval "$(chot env)"."""
    state = running_stack()
    found = {name.upper(): member.address for name in PROGRAMS if (member := state.member(name)) is not None}
    found["TEMPORAL_ADDRESS"] = state.members["temporal"].address
    if state.temporal_ui:
        found["TEMPORAL_UI"] = state.temporal_ui
    for name, value in found.items():
        typer.echo(f"{name}={shlex.quote(value)}")


def temporal(context: typer.Context) -> None:
    """Run Temporal's command line against the stack, e.g. `chot temporal workflow list`."""
    from deploy.local.engines import cli_path

    state = running_stack()
    program = str(cli_path())
    environment = os.environ | {"TEMPORAL_ADDRESS": state.members["temporal"].address}
    os.execve(program, [program, *context.args], environment)
