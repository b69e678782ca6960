"""`python -m deploy.local.carriers record|anonymise|replay`: traffic with carriers as files, for integrators."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from deploy.local.carriers.traffic import tape
from deploy.local.carriers.traffic.anonymise import Anonymiser, PersonalDataLeft
from deploy.local.carriers.traffic.recorder import create_recorder
from deploy.local.carriers.traffic.replay import replay
from deploy.local.simulator.server import LOOPBACK, server_config


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, or 1 when something was not as asked; wrong arguments are 2."""
    options = _parser().parse_args(arguments)
    code: int = options.run(options)
    return code


def _record(options: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app = create_recorder(options.out, to=options.to)
    uvicorn.Server(server_config(app, host=options.host, port=options.port)).run()
    return 0


def _anonymise(options: argparse.Namespace) -> int:
    try:
        made = Anonymiser().anonymised([tape.read(path) for path in options.files])
    except (tape.Unreadable, PersonalDataLeft) as error:
        return _failed(error)
    for path, exchanges in zip(options.files, made, strict=True):
        out = path.with_suffix(".anonymous.jsonl")
        tape.write(out, exchanges)
        _say(f"{out}: {len(exchanges)} exchanges")
    return 0


def _replay(options: argparse.Namespace) -> int:
    try:
        exchanges = list(tape.read(options.file))
    except tape.Unreadable as error:
        return _failed(error)
    replayed = asyncio.run(replay(exchanges, to=options.to, speed=options.speed))
    answers = ", ".join(
        f"{status or 'no answer'}: {count}" for status, count in sorted(replayed.answers.items(), key=str)
    )
    _say(f"{replayed.sent} callbacks in {replayed.seconds:.1f} s; {answers}")
    return 0 if replayed.accepted == replayed.sent else 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _failed(error: Exception) -> int:
    sys.stderr.write(f"{error}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.carriers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    record = commands.add_parser("record", help="pass requests on and write down what was said")
    record.add_argument("--out", type=Path, required=True, help="file that lines are appended to")
    record.add_argument("--to", help="address that requests are passed on to; without one they are answered with 200")
    record.add_argument("--host", default=LOOPBACK, help=f"address to listen on (default {LOOPBACK})")
    record.add_argument("--port", type=int, default=8120, help="port to listen on (default 8120)")
    record.set_defaults(run=_record)
    anonymise = commands.add_parser("anonymise", help="take everything about people out of recordings")
    anonymise.add_argument("files", type=Path, nargs="+", help="recordings that belong together")
    anonymise.set_defaults(run=_anonymise)
    again = commands.add_parser("replay", help="send recorded callbacks again")
    again.add_argument("file", type=Path, help="a recording")
    again.add_argument("--to", required=True, help="callback URL of a connection")
    again.add_argument("--speed", type=_speed, default=1.0, help="times faster than it happened (default 1)")
    again.set_defaults(run=_replay)
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError("has to be greater than 0")
    return speed


if __name__ == "__main__":
    sys.exit(main())
