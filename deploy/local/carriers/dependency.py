"""What every route asks for."""

from typing import Annotated

from fastapi import Depends, Request

from deploy.local.carriers.simulation import Simulation


def _simulation(request: Request) -> Simulation:
    simulation: Simulation = request.app.state.simulation
    return simulation


Sim = Annotated[Simulation, Depends(_simulation)]
