"""`python -m deploy.local.ghtk --port 8111`: the simulator as a process of its own."""

from deploy.local.carriers.faults import Faults
from deploy.local.ghtk.dialect import create_app
from deploy.local.ghtk.model import SimulatorSettings
from deploy.local.simulator.entry import Entry

ENTRY = Entry(
    module="deploy.local.ghtk",
    description="A simulated Giao Hàng Tiết Kiệm (GHTK).",
    port=8111,
    settings=SimulatorSettings,
    faults=Faults,
    create_app=lambda settings, faults: create_app(settings=settings, faults=faults),
)

if __name__ == "__main__":
    ENTRY.main()
