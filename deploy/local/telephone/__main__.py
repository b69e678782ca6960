"""`python -m deploy.local.telephone --port 8113`: the simulator as a process of its own."""

import argparse
import logging

import uvicorn

from deploy.local.ghtk.server import LOOPBACK, server_config
from deploy.local.telephone.app import create_app
from deploy.local.telephone.exchange import Exchange
from deploy.local.telephone.faults import Faults
from deploy.local.telephone.model import Settings


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.telephone", description="A simulated telephone system."
    )
    parser.add_argument("--port", type=int, default=8113, help=f"port on {LOOPBACK} (default 8113)")
    parser.add_argument("--hook-url", default="", help="whom it tells: the hook_url of the system in Chốt")
    faults = parser.add_argument_group("faults", "rates from 0 to 1, times in seconds; see Faults")
    for name, field in Faults.model_fields.items():
        faults.add_argument(f"--{name.replace('_', '-')}", type=float, default=field.default)
    options = parser.parse_args(arguments)
    try:
        chosen = Faults.model_validate({name: getattr(options, name) for name in Faults.model_fields})
    except ValueError as error:
        parser.error(str(error))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # One line for each event that httpx sends would drown everything else.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    exchange = Exchange(Settings(hook_url=options.hook_url), chosen)
    uvicorn.Server(server_config(create_app(exchange), port=options.port)).run()


if __name__ == "__main__":
    main()
