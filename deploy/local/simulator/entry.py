"""The command line of a simulator: every setting and every fault is a flag."""

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from deploy.local.simulator.server import LOOPBACK, server_config

S = TypeVar("S", bound=BaseModel)
F = TypeVar("F", bound=BaseModel)


@dataclass(frozen=True)
class Entry(Generic[S, F]):
    """What `python -m <module>` starts.

    Parameters:
        module: the simulator's package.
        description: what it plays.
        port: on the loopback address, unless another is asked for.
        settings: those of its settings that are simple values become flags.
        faults: its switches; all become flags.
        create_app: builds it.
    """

    module: str
    description: str
    port: int
    settings: type[S]
    faults: type[F]
    create_app: Callable[[S, F], FastAPI]

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Serve until SIGINT or SIGTERM."""
        parser = self._parser()
        options = parser.parse_args(arguments)
        try:
            settings = self.settings.model_validate(_chosen(options, self.settings))
            faults = self.faults.model_validate(_chosen(options, self.faults))
        except ValueError as error:
            parser.error(str(error))
        logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
        # One line for each message that httpx sends would drown everything else.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        uvicorn.Server(server_config(self.create_app(settings, faults), port=options.port)).run()

    def _parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(prog=f"python -m {self.module}", description=self.description)
        parser.add_argument("--port", type=int, default=self.port, help=f"port on {LOOPBACK} (default {self.port})")
        parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING"))
        _add_flags(parser.add_argument_group("settings"), self.settings)
        _add_flags(parser.add_argument_group("faults", "rates from 0 to 1, times in seconds"), self.faults)
        return parser


def _chosen(options: argparse.Namespace, model: type[BaseModel]) -> dict[str, Any]:
    return {name: value for name in model.model_fields if (value := getattr(options, name, None)) is not None}


def _add_flags(group: argparse._ArgumentGroup, model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        default = "" if field.default in (None, "") else f" (default {field.default})"
        help_text = f"{field.description or ''}{default}".strip().replace("%", "%%")
        kinds = set(_simple_types(field.annotation))
        if bool in kinds:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, help=help_text)
        elif kind := next((each for each in (float, int, str) if each in kinds), None):
            choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else None
            group.add_argument(flag, type=kind, choices=choices, help=help_text)


def _simple_types(annotation: Any) -> Iterator[type]:
    """The types of a value that one word on a command line can give; nothing for lists and models."""
    if get_origin(annotation) in (Union, UnionType, Annotated):
        for part in get_args(annotation):
            yield from _simple_types(part)
    elif get_origin(annotation) is Literal:
        yield str
    elif annotation in (bool, int, float, str):
        yield annotation
