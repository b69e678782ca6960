"""L1.4 in three parts (rule D14): in care, in the floating pool, in the archive; by the same identity as the levels."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.reporting.app import SERVICE
from shared.contracts.events.leads import (
    LEAD_ARCHIVED,
    LEAD_ASSIGNED,
    LEAD_RELEASED,
    LEAD_WITHDRAWN,
    LeadArchived,
    LeadAssigned,
    LeadReleased,
    LeadWithdrawn,
)
from shared.contracts.events.orders import ORDER_CLOSED, OWNER_CHANGED, OwnerChanged
from tests.harness import Databases, Running, running
from tests.integration.reporting.test_reports import START, Life, get, tell


@pytest.fixture
async def reporting(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        yield instance


def wait(life: Life, days: int) -> Life:
    life.clock += timedelta(days=days)
    return life


def _owner(life: Life, old: UUID | None, new: UUID | None, assignment: int) -> None:
    change = OwnerChanged(
        order_id=life.order_id,
        assignment=assignment,
        level=life.level,
        from_owner_id=old,
        to_owner_id=new,
        at=life.clock,
    )
    life.said.append((OWNER_CHANGED, change, life.order_id))


def float_away(life: Life, assignment: int) -> Life:
    """Into the floating pool, as leads tells and then orders."""
    told = LeadReleased(
        lead_id=life.order_id,
        assignment=assignment,
        released_at=life.clock,
        cause="floating_pool",
        previous_owner_id=life.owner,
    )
    life.said.append((LEAD_RELEASED, told, life.order_id))
    _owner(life, life.owner, None, assignment)
    return life


def archive(life: Life, assignment: int) -> Life:
    told = LeadArchived(lead_id=life.order_id, assignment=assignment, archived_at=life.clock)
    life.said.append((LEAD_ARCHIVED, told, life.order_id))
    return life


def claim(life: Life, assignment: int) -> Life:
    told = LeadAssigned(
        lead_id=life.order_id,
        assignment=assignment,
        owner_id=life.owner,
        owner_code="NV001",
        assigned_at=life.clock,
        cause="claim",
    )
    life.said.append((LEAD_ASSIGNED, told, life.order_id))
    _owner(life, None, life.owner, assignment)
    return life


def company() -> list[Life]:
    """Five numbers at L1.4: one in care, one floating, one archived, one claimed again, one claimed and refused."""
    nam = uuid7()
    lives = [Life(owner=nam, channel=channel).move("L1", "L1.4") for channel in ("excel", *["landing_page"] * 4)]
    for life in lives[1:]:
        float_away(wait(life, 1), 2)
    archive(wait(lives[2], 5), 2)
    for life in lives[3:]:
        claim(wait(life, 3), 3)
    lives[4].move("L1.5")
    return lives


def parts(rows: list[dict[str, Any]]) -> dict[str, tuple[int, int | None, int, int]]:
    return {row["level"]: (row["orders"], row["in_care"], row["floating"], row["archived"]) for row in rows}


@pytest.mark.parametrize("seed", [None, 1, 2], ids=["as told", "shuffled", "otherwise"])
async def test_reports_tell_what_of_a_level_floats_or_is_archived_in_whatever_order_it_is_told(
    reporting: Running, seed: int | None
) -> None:
    said = [fact for life in company() for fact in life.said]
    if seed is not None:
        random.Random(seed).shuffle(said)

    await tell(reporting, said, batch=50 if seed is None else 3)
    await tell(reporting, [fact for fact in said if fact[0] in (LEAD_RELEASED, LEAD_ARCHIVED, LEAD_ASSIGNED)])

    expected = {"L1.4": (4, 2, 1, 1), "L1.5": (1, None, 0, 0)}
    assert parts((await get(reporting, "status"))["rows"]) == expected
    assert parts((await get(reporting, "remaining", at="2026-12-31"))["rows"]) == expected
    by_channel = (await get(reporting, "remaining", at="2026-12-31", group_by="channel"))["rows"]
    assert {(row["key"], row["floating"], row["archived"]) for row in by_channel if row["level"] == "L1.4"} == {
        ("excel", 0, 0),
        ("landing_page", 1, 1),
    }
    identity = await get(reporting, "identity")
    assert identity["holds"] is True, identity
    assert {row["place"] for row in identity["rows"] if row["level"] == "L1.4"} == {"", "floating", "archived"}


async def test_what_floated_on_a_day_is_still_told_of_that_day(reporting: Running) -> None:
    await tell(reporting, [fact for life in company() for fact in life.said])

    async def on(days: int) -> tuple[int, int | None, int, int]:
        day = (START + timedelta(days=days)).date().isoformat()
        return parts((await get(reporting, "remaining", at=day))["rows"])["L1.4"]

    assert await on(0) == (5, 5, 0, 0)
    assert await on(1) == (5, 1, 4, 0)
    assert await on(4) == (4, 2, 2, 0)
    assert await on(6) == (4, 2, 1, 1)


async def test_a_floating_number_that_moves_to_another_level_floats_there(reporting: Running) -> None:
    life = float_away(wait(Life(owner=uuid7()).move("L1", "L1.4"), 1), 2).move("L1.2")

    await tell(reporting, life.said, batch=1)

    assert parts((await get(reporting, "remaining", at="2026-12-31"))["rows"]) == {"L1.2": (1, 0, 1, 0)}
    assert (await get(reporting, "identity"))["holds"] is True


async def test_a_withdrawn_number_floats_nowhere(reporting: Running) -> None:
    life = archive(float_away(wait(Life(owner=uuid7()).move("L1", "L1.4"), 1), 2), 2)
    withdrawn = (
        LEAD_WITHDRAWN,
        LeadWithdrawn(lead_id=life.order_id, was="lead", withdrawn_at=life.clock),
        life.order_id,
    )

    await tell(reporting, [*life.said[:-2], withdrawn, *life.said[-2:]], batch=1)

    assert (await get(reporting, "remaining", at="2026-12-31"))["rows"] == []
    assert (await reporting.rows('SELECT sum(entered - "left"), count(*) FROM place_days'))[0][0] in (None, 0)
    assert await reporting.rows("SELECT 1 FROM cohort_place_days WHERE orders <> 0") == []


async def test_who_sees_only_their_own_sees_no_numbers_that_nobody_holds(reporting: Running) -> None:
    lives = company()
    await tell(reporting, [fact for life in lives for fact in life.said])

    own = await get(reporting, "remaining", "reports.read", account_id=lives[0].owner, at="2026-12-31")

    assert parts(own["rows"])["L1.4"] == (2, 2, 0, 0)


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_merged_order_is_not_counted_as_cancelled_and_its_value_only_with_the_other(
    reporting: Running, backwards: bool
) -> None:
    older, younger = (Life(owner=uuid7()).move("L1").close(total=330_000) for _ in range(2))
    cancelled = Life(owner=uuid7()).move("L1").close(total=330_000).move("L5.3")
    younger.move("L5.3")
    event_type, change, subject = younger.said[-1]
    younger.said[-1] = (event_type, change.model_copy(update={"cause": "merged"}), subject)
    closing = next(fact for fact in older.said if fact[0] is ORDER_CLOSED)
    both = closing[1].model_copy(update={"version": 2, "total": 630_000})
    said = [*older.said, *younger.said, *cancelled.said, (ORDER_CLOSED, both, older.order_id)]

    await tell(reporting, said[::-1] if backwards else said, batch=4)

    (row,) = (await get(reporting, "funnel"))["rows"]
    assert (row["l5"], row["net_closed"], row["merged"]) == (3, 1, 1)
    for report in ("status", "remaining"):
        rows = (await get(reporting, report, at="2026-12-31"))["rows"]
        (ended,) = (row for row in rows if row["level"] == "L5.3")
        assert (ended["orders"], ended["merged"]) == (2, 1)
    money = {row["kind"]: (row["orders"], row["amount"]) for row in (await get(reporting, "money"))["rows"]}
    assert money["closed"] == (2, 900_000)
    assert (await get(reporting, "identity"))["holds"] is True
