"""The command `chot`. Each module in `deploy/commands` adds its own sub-commands."""

import importlib
import pkgutil

import typer

from deploy import commands


def build() -> typer.Typer:
    """Return the command with all sub-commands."""
    app = typer.Typer(
        name="chot",
        help="Chốt: from a phone number to money at home. Run it in the directory that holds .chot.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
    )
    for module in pkgutil.iter_modules(commands.__path__, prefix=f"{commands.__name__}."):
        importlib.import_module(module.name).register(app)
    return app


def main() -> None:
    """Run the command line."""
    build()()
