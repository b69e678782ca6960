"""Duplicates that were none and leads that turned out to be duplicates, in the funnel."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from uuid_utils.compat import uuid7

from services.reporting.app import SERVICE
from tests.harness import Databases, Running, running
from tests.integration.reporting.test_reports import Life, Said, duplicate, get, tell


@pytest.fixture
async def reporting(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        yield instance


def released(anchor: Life) -> tuple[Said, Life]:
    """A duplicate, and its order from the release on (C3.1 → L1)."""
    told = duplicate(anchor)
    life = Life(owner=anchor.owner, order_id=told[2], marketer=anchor.marketer, level="C3.1")
    return told, life.move("L1", actor="QL01")


async def check_identity(reporting: Running) -> None:
    for row in (await get(reporting, "identity"))["rows"]:
        assert row["entered"] - row["left"] == row["remaining"], row


@pytest.mark.parametrize("order", ["as told", "backwards", "shuffled"])
async def test_a_released_duplicate_counts_as_a_lead_of_its_marketer_in_whatever_order_it_is_told(
    reporting: Running, order: str
) -> None:
    anchor = Life(owner=uuid7(), marketer="MK01").move("L1")
    told, life = released(Life(owner=uuid7(), marketer="MK02").move("L1"))
    said = [*anchor.said, told, *life.said, duplicate(anchor)]
    if order == "backwards":
        said.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(said)

    await tell(reporting, said, batch=1)

    rows = {row["key"]: row for row in (await get(reporting, "funnel", group_by="marketer"))["rows"]}
    assert {key: (row["c3"], row["duplicates"], row["l1"]) for key, row in rows.items()} == {
        "MK01": (2, 1, 1),
        "MK02": (1, 0, 1),
    }
    await check_identity(reporting)


async def test_a_lead_found_to_be_a_duplicate_counts_as_one_and_no_more_as_clean(reporting: Running) -> None:
    kept = Life(owner=uuid7()).move("L1")
    merged = Life(owner=kept.owner).move("L1", "L1.4", "C3.1")

    await tell(reporting, [*kept.said, *merged.said])

    (row,) = (await get(reporting, "funnel", group_by="total"))["rows"]
    assert (row["c3"], row["duplicates"], row["l1"]) == (2, 1, 1)
    incurred = {row["level"]: row for row in (await get(reporting, "incurred", group_by="level"))["rows"]}
    assert (incurred["C3.1"]["entered"], incurred["L1.4"]["left"]) == (1, 1)
    await check_identity(reporting)
