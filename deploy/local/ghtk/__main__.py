"""`python -m deploy.local.ghtk --port 8111`: the simulator as a process of its own."""

import argparse
import logging

import uvicorn

from deploy.local.ghtk.app import create_app
from deploy.local.ghtk.faults import Faults
from deploy.local.ghtk.model import SimulatorSettings
from deploy.local.ghtk.server import LOOPBACK, server_config


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = SimulatorSettings.model_validate(
            {name: getattr(options, name) for name in _SETTINGS if getattr(options, name) is not None}
        )
        faults = Faults.model_validate({name: getattr(options, name) for name in Faults.model_fields})
    except ValueError as error:
        parser.error(str(error))
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # One line for each callback that httpx sends would drown everything else.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvicorn.Server(server_config(create_app(settings=settings, faults=faults), port=options.port)).run()


_SETTINGS = ("token", "client_source", "seed", "callback_url", "callback_format", "speed")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.ghtk", description="A simulated GHTK.")
    parser.add_argument("--port", type=int, default=8111, help=f"port on {LOOPBACK} (default 8111)")
    parser.add_argument("--token", help="what callers must send in Token")
    parser.add_argument("--client-source", help="what callers must send in X-Client-Source")
    parser.add_argument("--seed", type=int, help="decides outcomes and faults")
    parser.add_argument("--callback-url", help="where status changes are posted")
    parser.add_argument("--callback-format", choices=("form", "json"))
    parser.add_argument("--speed", type=float, help="steps a second that each shipment takes by itself")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING"))
    faults = parser.add_argument_group("faults", "rates from 0 to 1, times in seconds; see Faults")
    for name, field in Faults.model_fields.items():
        kind = str if isinstance(field.default, str) else float
        faults.add_argument(f"--{name.replace('_', '-')}", type=kind, default=field.default)
    return parser


if __name__ == "__main__":
    main()
