"""All routes of care processes."""

from fastapi import APIRouter

from services.orders.moving.api import router as moves
from services.orders.processes.api import router as processes
from services.orders.processes.choice_api import router as choice

router = APIRouter()
for part in (choice, processes, moves):
    router.include_router(part)
