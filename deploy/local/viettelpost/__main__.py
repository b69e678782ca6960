"""`python -m deploy.local.viettelpost --port 8115`: the simulator as a process of its own."""

from deploy.local.simulator.entry import Entry
from deploy.local.viettelpost.dialect import create_app
from deploy.local.viettelpost.model import SimulatorFaults, SimulatorSettings

ENTRY = Entry(
    module="deploy.local.viettelpost",
    description="A simulated ViettelPost.",
    port=8115,
    settings=SimulatorSettings,
    faults=SimulatorFaults,
    create_app=lambda settings, faults: create_app(settings=settings, faults=faults),
)

if __name__ == "__main__":
    ENTRY.main()
