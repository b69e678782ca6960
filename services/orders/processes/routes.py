"""All routes of care processes."""

from fastapi import APIRouter

from services.orders.moving.api import router as moves
from services.orders.processes.api import router as processes
from services.orders.processes.choice_api import router as choice
from shared.http import add_routes

router = APIRouter()
for part in (choice, processes, moves):
    add_routes(router, part)
