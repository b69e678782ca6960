"""How often carriers are asked: whole lives of parcels, as the simulators plan them, against the schedule of polling.

Pure reckoning, no database: a parcel's changes come by callback unless that is lost, a look tells how it stands and sets
the next one. What comes out is requests a day for every 100,000 parcels that are open.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deploy.local.carriers.life import STATUS, TRANSFER, Road
from deploy.local.carriers.model import USUAL_OUTCOMES
from services.shipping import schedule
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.capabilities import Settlement
from services.shipping.carriers.ghn_codes import TRANSFERRED
from shared.contracts.events.shipping import ShipmentStatus

LIVES = 2000
OPEN = 100_000
START = datetime(2026, 11, 21, 1, tzinfo=UTC)
PROMISED_AFTER = timedelta(days=3)


@dataclass
class _Known:
    """What we believe of a parcel."""

    status: ShipmentStatus = "accepted"
    provisional: bool = False
    settled: bool = False
    unchanged: int = 0


def requests_a_day(carrier: type[Carrier], road: Road, *, lost: float) -> float:
    """For 100,000 open parcels.

    Args:
        lost: share of the callbacks that never come.
    """
    looks, open_for = 0, timedelta()
    for number in range(LIVES):
        ended, looked = _life(carrier, road, number, lost=lost)
        looks += looked
        open_for += ended - START
    return looks / (open_for / timedelta(days=1)) * OPEN


def _life(carrier: type[Carrier], road: Road, number: int, *, lost: float) -> tuple[datetime, int]:
    """When we know that a parcel is at rest, and how often we looked until then."""
    dice = random.Random(number)
    changes = list(_changes(carrier, road, number))
    # The day of the transfer stands in the parcel's details alone.
    heard = [at for at, code in changes if code != TRANSFERRED and dice.random() >= lost]
    known, looks, told = _Known(), 0, 0
    due = _next(carrier, known, now=START)
    now = START
    while due is not None:
        callback = next((at for at in heard if at > now), None)
        looked = callback is None or due <= callback
        now = due if looked else callback or due
        looks += looked
        before = told
        told = sum(at <= now for at, _ in changes)
        for _, code in changes[before:told]:
            _learn(carrier, known, code)
        known.unchanged = 0 if told > before else known.unchanged + 1
        due = _next(carrier, known, now=now)
    return now, looks


def _changes(carrier: type[Carrier], road: Road, number: int) -> Iterator[tuple[datetime, str]]:
    at, shows_transfer = START, carrier.capabilities.settlement is Settlement.TRANSFER_DATE
    for step in road.plan(seed=1, reference=str(number), rates=USUAL_OUTCOMES.weights()).steps:
        at += step.after
        if step.kind == STATUS:
            yield at, str(step.status)
        elif step.kind == TRANSFER and shows_transfer:
            yield at, TRANSFERRED


def _learn(carrier: type[Carrier], known: _Known, code: str) -> None:
    meaning = carrier.codes.statuses[code]
    known.provisional = meaning.provisional
    if meaning.provisional or (meaning.either_way and known.status == "returning"):
        return
    known.status, known.settled = meaning.status, meaning.settles


def _next(carrier: type[Carrier], known: _Known, *, now: datetime) -> datetime | None:
    return schedule.next_poll(
        known.status,
        settled=known.settled or carrier.capabilities.settlement is Settlement.STATEMENT,
        provisional=known.provisional,
        owes_amount=False,
        unchanged=known.unchanged,
        promised_at=START + PROMISED_AFTER,
        now=now,
        pace=1.0,
    )
