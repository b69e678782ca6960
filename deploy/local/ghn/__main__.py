"""`python -m deploy.local.ghn --port 8114`: the simulator as a process of its own."""

from deploy.local.carriers.faults import Faults
from deploy.local.ghn.dialect import create_app
from deploy.local.ghn.model import SimulatorSettings
from deploy.local.simulator.entry import Entry

ENTRY = Entry(
    module="deploy.local.ghn",
    description="A simulated Giao Hàng Nhanh (GHN).",
    port=8114,
    settings=SimulatorSettings,
    faults=Faults,
    create_app=lambda settings, faults: create_app(settings=settings, faults=faults),
)

if __name__ == "__main__":
    ENTRY.main()
