"""GHTK on a real socket inside a test's event loop."""

from deploy.local.carriers.faults import Faults
from deploy.local.carriers.server import CarrierSimulator
from deploy.local.ghtk.dialect import GHTK
from deploy.local.ghtk.model import SimulatorSettings, own


class GhtkSimulator(CarrierSimulator):
    """A GHTK on a free loopback port, for tests: `async with GhtkSimulator() as ghtk: …`."""

    def __init__(self, *, settings: SimulatorSettings | None = None, faults: Faults | None = None) -> None:
        super().__init__(GHTK, settings=settings, faults=faults)

    @property
    def token(self) -> str:
        return own(self.simulation.settings).token

    @property
    def client_source(self) -> str:
        return own(self.simulation.settings).client_source

    @property
    def headers(self) -> dict[str, str]:
        """What the GHTK API wants on every call."""
        return {"Token": self.token, "X-Client-Source": self.client_source}
