"""Random worlds of parcels and statements with seeded faults: every fault is found, and nothing else."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from tests.harness import Databases
from tests.integration.shipping.cod_support import NOW, Desk, Parcel, open_desk

HEADER = "Mã đơn GHN;Mã đơn của bạn;Trạng thái;Tiền COD;Phí giao hàng;Phí hoàn;Tiền đền bù;Tổng đối soát"
FAULTS = ("short", "double", "wrong_fee", "returned_yet_paid", "missing")
SESSIONS = 4


@dataclass(frozen=True)
class Line:
    parcel: Parcel
    cod: int = 0
    fee: int = 0
    back: int = 0
    compensation: int = 0


@dataclass(frozen=True)
class World:
    parcels: list[Parcel]
    sessions: list[list[Line]]
    faults: dict[str, str]
    """Waybill → what is wrong with it."""
    late: list[Parcel]
    """Those whose delivery the carrier reports only after it has paid."""


def make(seed: int, size: int, *, rate: float) -> World:
    """A world in which everything is right but the seeded faults."""
    dice = random.Random(seed)
    parcels: list[Parcel] = []
    sessions: list[list[Line]] = [[] for _ in range(SESSIONS)]
    faults: dict[str, str] = {}
    late: list[Parcel] = []
    for number in range(size):
        parcel = _parcel(dice, number)
        fault = FAULTS[number // 7 % len(FAULTS)] if dice.random() < rate else ""
        lines = list(_lines(dice, parcel))
        if fault == "returned_yet_paid":
            parcel = replace(parcel, status="returned", partial=False, collected=None)
            lines = [Line(parcel, cod=parcel.cod, fee=parcel.fee)]
        elif fault:
            parcel = replace(parcel, status="delivered", partial=False, collected=None, at=NOW - timedelta(days=4))
            right = Line(parcel, cod=parcel.cod, fee=parcel.fee)
            lines = {
                "short": [replace(right, cod=parcel.cod - 1_000 * dice.randint(1, 99))],
                "double": [right, right],
                "wrong_fee": [replace(right, fee=parcel.fee + dice.choice((-2_000, 500, 11_000)))],
                "missing": [],
            }[fault]
        elif parcel.status == "delivered" and dice.random() < 0.02:
            late.append(parcel)
            parcel = replace(parcel, status="out_for_delivery")
        if fault:
            faults[parcel.waybill] = fault
        parcels.append(parcel)
        for line in lines:
            sessions[dice.randrange(SESSIONS)].append(replace(line, parcel=parcel))
    return World(parcels, sessions, faults, late)


def _parcel(dice: random.Random, number: int) -> Parcel:
    status = dice.choices(("delivered", "returned", "lost", "out_for_delivery", "accepted"), (80, 12, 2, 4, 2))[0]
    cod = 1_000 * dice.randint(100, 900)
    partial = status == "delivered" and dice.random() < 0.05
    return Parcel(
        f"GHN{number:07d}X",
        f"DH-W{number:07d}",
        status=status,
        cod=cod,
        collected=dice.choice((None, cod // 2)) if partial else None,
        partial=partial,
        value=cod - 30_000,
        fee=dice.choice((18_000, 22_000, 31_500)),
        at=NOW - timedelta(days=dice.randint(2, 5), hours=dice.randint(0, 20)),
    )


def _lines(dice: random.Random, parcel: Parcel) -> Iterator[Line]:
    """What an honest carrier puts into its sessions."""
    if parcel.status == "delivered":
        due = parcel.collected if parcel.collected is not None else parcel.cod // (2 if parcel.partial else 1)
        if dice.random() < 0.03:
            yield Line(parcel, fee=parcel.fee)  # charged in one session, paid in another
            yield Line(parcel, cod=due)
        else:
            yield Line(parcel, cod=due, fee=parcel.fee, back=9_000 if parcel.partial else 0)
    elif parcel.status == "returned":
        yield Line(parcel, fee=parcel.fee, back=dice.choice((0, 9_000)))
    elif parcel.status == "lost":
        yield Line(parcel, compensation=parcel.value)


def written(dice: random.Random, lines: Sequence[Line], session: int) -> bytes:
    """A session as the carrier writes it: codes in either column and any case, points between thousands, sums below."""
    below_zero = dice.random() < 0.5

    def fee(amount: int) -> str:
        return f"-{amount:,}" if below_zero and amount else f"{amount:,}"

    rows = [f"Phiên đối soát: P-{session:04d};;;", HEADER]
    for line in lines:
        waybill = dice.choice(
            (line.parcel.waybill, line.parcel.waybill.lower(), f" {line.parcel.waybill[:3]} {line.parcel.waybill[3:]}")
        )
        codes = dice.choice(((waybill, line.parcel.reference), (waybill, ""), (waybill, line.parcel.code)))
        codes = ("", line.parcel.reference) if dice.random() < 0.05 else codes
        net = line.cod + line.compensation - line.fee - line.back
        amounts = (f"{line.cod:,}".replace(",", "."), fee(line.fee), fee(line.back), f"{line.compensation:,}", str(net))
        rows.append(";".join((*codes, "", *amounts)))
    rows.append(f"Tổng cộng;;;{sum(line.cod for line in lines)};;;;")
    return "\n".join(rows).encode()


async def found(desk: Desk) -> dict[str, set[str]]:
    rows = await desk.running.rows(
        "SELECT coalesce(s.waybill, d.label) AS waybill, d.kind FROM cod_differences d "
        "LEFT JOIN shipments s ON s.id = d.shipment_id WHERE d.state = 'open'"
    )
    kinds: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        kinds[row.waybill].add(row.kind)
    return dict(kinds)


async def run(databases: Databases, seed: int, size: int, *, rate: float) -> None:
    dice = random.Random(seed)
    world = make(seed, size, rate=rate)
    async with open_desk(databases, carrier="ghn", days_to_pay=7) as desk:
        for start in range(0, size, 5_000):
            await desk.ship(*world.parcels[start : start + 5_000])
        order = list(enumerate(world.sessions))
        dice.shuffle(order)
        for session, lines in order:
            sent = await desk.take_in(written(dice, lines, session), name=f"phien-{session}.csv")
            assert (sent["lines"], sent["matched"], sent["number"]) == (len(lines), len(lines), f"P-{session:04d}")
        early = await found(desk)
        assert {parcel.waybill: early[parcel.waybill] for parcel in world.late} == {
            parcel.waybill: {"paid_not_delivered"} for parcel in world.late
        }
        for parcel in world.late:
            await desk.becomes(parcel, "delivered", at=parcel.at)
        desk.wait(days=4)
        waiting = {row.id for row in await desk.running.rows("SELECT id FROM shipments WHERE settled_at IS NULL")}
        for parcel in world.parcels:
            if parcel.id in waiting and parcel.status in ("delivered", "lost"):
                await desk.look(parcel)  # as its workflow does on the day that was agreed
        kinds = await found(desk)
        expected = {
            waybill: {fault, "wrong_fee"} if fault == "double" else {fault} for waybill, fault in world.faults.items()
        }
        assert kinds == expected
        home = await desk.running.rows("SELECT count(*) AS count FROM shipments WHERE settled_at IS NOT NULL")
        owed = sum(
            parcel.status in ("delivered", "lost") and world.faults.get(parcel.waybill) not in ("short", "missing")
            for parcel in world.parcels
        )
        assert home[0].count == owed + len(world.late)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_seeded_fault_of_random_statements_is_found_and_nothing_else(
    databases: Databases, seed: int
) -> None:
    await run(databases, seed, 240, rate=0.1)


@pytest.mark.soak
async def test_every_seeded_fault_in_100_000_lines_is_found_and_nothing_else(databases: Databases) -> None:
    await run(databases, 3, 108_000, rate=0.01)
