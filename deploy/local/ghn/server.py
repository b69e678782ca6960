"""GHN on a real socket inside a test's event loop."""

from deploy.local.carriers.faults import Faults
from deploy.local.carriers.server import CarrierSimulator
from deploy.local.ghn.dialect import GHN
from deploy.local.ghn.model import SimulatorSettings, own
from deploy.local.ghn.routes import BASE


class GhnSimulator(CarrierSimulator):
    """A GHN on a free loopback port, for tests: `async with GhnSimulator() as ghn: …`."""

    def __init__(self, *, settings: SimulatorSettings | None = None, faults: Faults | None = None) -> None:
        super().__init__(GHN, settings=settings, faults=faults)

    @property
    def api_url(self) -> str:
        """What the paths of the documentation follow."""
        return f"{self.base_url}{BASE}"

    @property
    def token(self) -> str:
        return own(self.simulation.settings).token

    @property
    def shop_id(self) -> str:
        return str(own(self.simulation.settings).shop_id)

    @property
    def headers(self) -> dict[str, str]:
        """What the GHN API wants on every call."""
        return {"Token": self.token, "ShopId": self.shop_id}
