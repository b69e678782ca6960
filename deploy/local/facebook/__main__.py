"""`python -m deploy.local.facebook --port 8112`: the simulator as a process of its own."""

from deploy.local.facebook.app import create_app
from deploy.local.facebook.faults import Faults
from deploy.local.facebook.model import SimulatorSettings
from deploy.local.simulator.entry import Entry

ENTRY = Entry(
    module="deploy.local.facebook",
    description="A simulated Facebook.",
    port=8112,
    settings=SimulatorSettings,
    faults=Faults,
    create_app=lambda settings, faults: create_app(settings=settings, faults=faults),
)

if __name__ == "__main__":
    ENTRY.main()
