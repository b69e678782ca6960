"""A simulated carrier on a real socket inside a test's event loop."""

from datetime import datetime, timedelta
from types import TracebackType

from deploy.local.carriers.app import create_carrier_app
from deploy.local.carriers.carrier import Push
from deploy.local.carriers.dialect import Dialect
from deploy.local.carriers.faults import Faults
from deploy.local.carriers.life import STATUS, Code
from deploy.local.carriers.model import CarrierSettings, OutcomeRates, Shipment, Stats
from deploy.local.carriers.simulation import Simulation
from deploy.local.simulator.server import ServedApp


class CarrierSimulator(ServedApp):
    """A carrier on a free loopback port; each dialect has one of its own with what its callers need."""

    def __init__(
        self, dialect: Dialect, *, settings: CarrierSettings | None = None, faults: Faults | None = None
    ) -> None:
        super().__init__(create_carrier_app(dialect, settings=settings, faults=faults))
        self.simulation: Simulation = self.app.state.simulation

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.simulation.closing.set()  # ends answers that are being held back
        await super().__aexit__(kind, error, traceback)

    @property
    def stats(self) -> Stats:
        return self.simulation.stats

    @property
    def shipments(self) -> list[Shipment]:
        """The carrier's own table, in order of creation."""
        return list(self.simulation.carrier.page(after=0, limit=len(self.simulation.carrier)))

    def shipment(self, code: str) -> Shipment:
        """By the carrier's code or the shop's. Raises LookupError."""
        shipment = self.simulation.carrier.find(code)
        if shipment is None:
            raise LookupError(code)
        return shipment

    def send_callbacks_to(self, url: str | None) -> None:
        self.simulation.change_settings({"callback_url": url})

    def set_outcomes(self, outcomes: OutcomeRates) -> None:
        """For parcels created from now on."""
        self.simulation.change_settings({"outcomes": outcomes})

    def set_faults(self, faults: Faults) -> None:
        self.simulation.set_faults(faults)

    def push(
        self,
        code: str,
        status: Code,
        *,
        reason_code: str = "",
        partial: bool = False,
        cod: int | None = None,
        at: datetime | None = None,
        callback: bool = True,
        kind: str = STATUS,
    ) -> None:
        """Put one parcel into a status; see `StatusChange` of the control API for the parameters."""
        push = Push(self.simulation.dialect.road.code(status), reason_code, partial, cod, at, callback, kind)
        self.simulation.carrier.push(self.shipment(code), push)

    async def advance(self, *, steps: int) -> int:
        """Let every unfinished parcel take up to `steps` steps now. Returns the number of moves."""
        return await self.simulation.carrier.advance_steps(steps)

    async def advance_time(self, duration: timedelta) -> int:
        """Move simulated time. Returns the number of moves."""
        return await self.simulation.carrier.advance_time(duration)

    async def drain(self) -> None:
        """Wait until every callback was sent and answered or given up."""
        await self.simulation.sender.drain()
