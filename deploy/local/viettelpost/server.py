"""ViettelPost on a real socket inside a test's event loop."""

from deploy.local.carriers.server import CarrierSimulator
from deploy.local.viettelpost.dialect import VIETTELPOST
from deploy.local.viettelpost.model import SimulatorFaults, SimulatorSettings, own


class ViettelPostSimulator(CarrierSimulator):
    """A ViettelPost on a free loopback port, for tests: `async with ViettelPostSimulator() as viettelpost: …`."""

    def __init__(self, *, settings: SimulatorSettings | None = None, faults: SimulatorFaults | None = None) -> None:
        super().__init__(VIETTELPOST, settings=settings, faults=faults)

    @property
    def account(self) -> dict[str, str]:
        """What may log in."""
        settings = own(self.simulation.settings)
        return {"username": settings.username, "password": settings.password}

    def end_all_tokens(self) -> None:
        """Everybody has to log in again."""
        generation = own(self.simulation.settings).token_generation
        self.simulation.change_settings({"token_generation": generation + 1})
