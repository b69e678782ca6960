"""`python -m deploy.local.telephone --port 8113`: the simulator as a process of its own."""

from deploy.local.simulator.entry import Entry
from deploy.local.telephone.app import create_app
from deploy.local.telephone.exchange import Exchange
from deploy.local.telephone.faults import Faults
from deploy.local.telephone.model import Settings

ENTRY = Entry(
    module="deploy.local.telephone",
    description="A simulated telephone system.",
    port=8113,
    settings=Settings,
    faults=Faults,
    create_app=lambda settings, faults: create_app(Exchange(settings, faults)),
)

if __name__ == "__main__":
    ENTRY.main()
