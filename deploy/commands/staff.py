"""`chot staff reset-password`: for who has access to the machine when nobody can sign in any more."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from deploy.terminal import fail, running_stack


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="People's accounts, for who has access to the machine.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("reset-password")(reset_password)
    app.add_typer(group, name="staff")


def reset_password(code: Annotated[str, typer.Argument(help="staff code such as NV000, or login name")]) -> None:
    """Print a password for one sign-in of an account, which is signed out everywhere and audited."""
    member = running_stack().member("staff")
    if member is None:
        fail("The running stack has no staff service.")
    command = [sys.executable, "-m", "services.staff.reset_password", code]
    raise typer.Exit(subprocess.run(command, env=os.environ | member.env, check=False).returncode)
