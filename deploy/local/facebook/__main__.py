"""`python -m deploy.local.facebook --port 8112`: the simulator as a process of its own."""

import argparse
import logging

import uvicorn

from deploy.local.facebook.app import create_app
from deploy.local.facebook.faults import Faults
from deploy.local.ghtk.server import LOOPBACK, server_config


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.facebook", description="A simulated Facebook.")
    parser.add_argument("--port", type=int, default=8112, help=f"port on {LOOPBACK} (default 8112)")
    faults = parser.add_argument_group("faults", "rates from 0 to 1, times in seconds; see Faults")
    for name, field in Faults.model_fields.items():
        faults.add_argument(f"--{name.replace('_', '-')}", type=float, default=field.default)
    options = parser.parse_args(arguments)
    try:
        chosen = Faults.model_validate({name: getattr(options, name) for name in Faults.model_fields})
    except ValueError as error:
        parser.error(str(error))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # One line for each push that httpx sends would drown everything else.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvicorn.Server(server_config(create_app(faults=chosen), port=options.port)).run()


if __name__ == "__main__":
    main()
