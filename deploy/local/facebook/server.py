"""Serving the simulator inside a test's event loop, on a real socket."""

from deploy.local.facebook.app import create_app
from deploy.local.facebook.faults import Faults
from deploy.local.facebook.model import SimulatorSettings
from deploy.local.facebook.world import World
from deploy.local.simulator.server import ServedApp

VERSION = "v25.0"


class FacebookSimulator(ServedApp):
    """Facebook on a free loopback port: `async with FacebookSimulator() as facebook: …`; `facebook.world` is its inside."""

    def __init__(self, *, settings: SimulatorSettings | None = None, faults: Faults | None = None) -> None:
        super().__init__(create_app(settings=settings, faults=faults))
        self.world: World = self.app.state.world

    @property
    def graph_url(self) -> str:
        return f"{self.base_url}/{VERSION}"
