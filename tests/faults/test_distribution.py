"""Distribution under load, with people who come and go and processes that are killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.floor import open_floor
from tests.harness import eventually

KILLED = ("leads-api", "leads-consumer")


@pytest.mark.parametrize(
    ("leads", "senders", "people", "victims"),
    [
        # People go and come after shares of the leads, so that 300 see as many of them change as 600 would.
        pytest.param(300, 16, 10, KILLED, id="some"),
        pytest.param(10_000, 64, 50, KILLED * 3, id="many", marks=pytest.mark.soak),
    ],
)
async def test_leads_have_one_owner_each_who_is_there_in_order_and_fairly_while_people_toggle_and_processes_die(
    tmp_path: Path, leads: int, senders: int, people: int, victims: tuple[str, ...]
) -> None:
    async with open_floor(tmp_path, people=people, leads=leads) as floor:
        before = {name: floor.stack.child(name).pid for name in victims}
        await floor.work(senders=senders, kills=victims)

        async def again() -> bool:
            return all(floor.stack.child(name).pid != pid for name, pid in before.items())

        # The last one killed may still be on its way back when all leads have somebody.
        await eventually(again, within=60, what="every process that was killed runs again")
        figures = await floor.audit()
    print(f"{leads} leads, {floor.repeated} repeated requests, {figures}")
    assert figures["absences"] >= people
    assert figures["waited"] >= leads * 0.05, "while nobody was there"
