"""Reports name levels, and put them in order, as the company does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from uuid_utils.compat import uuid7

from services.reporting.app import SERVICE
from shared.contracts.events.orders import LEVEL_CATALOGUE_CHANGED, LevelCatalogueChanged, LevelNow
from tests.harness import Databases, Running, running
from tests.integration.reporting.test_places import float_away, wait
from tests.integration.reporting.test_reports import Life, get, tell


@pytest.fixture
async def reporting(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as service:
        yield service


def level(code: str, position: int, *, vi: str = "x", final: bool = False, retired: bool = False) -> LevelNow:
    parent = code.split(".", 1)[0] if "." in code else None
    return LevelNow(
        code=code, parent=parent, vi=vi, en=vi, colour="#0d9488", final=final, position=position, retired=retired
    )


async def catalogue(reporting: Running, version: int, *levels: LevelNow) -> None:
    told = LevelCatalogueChanged(version=version, at=datetime(2026, 11, 23, tzinfo=UTC), levels=levels)
    await reporting.receive(LEVEL_CATALOGUE_CHANGED, told, subject="levels", event_id=uuid7())


async def test_levels_have_the_names_of_the_newest_catalogue_in_whatever_order_it_is_told(reporting: Running) -> None:
    client = await reporting.client()
    assert (await client.get("/v1/reports/levels")).json() == []
    own = level("L1.7", 4, vi="Chờ lương", retired=True)
    await catalogue(reporting, 3, level("L1", 3, vi="Sạch"), own)
    await catalogue(reporting, 2, level("L1", 3, vi="Cũ"), level("L1.7", 9, vi="Cũ"))

    found = (await client.get("/v1/reports/levels")).json()
    assert [(one["code"], one["vi"], one["parent"], one["retired"]) for one in found] == [
        ("L1", "Sạch", None, False),
        ("L1.7", "Chờ lương", "L1", True),
    ]


async def test_reports_follow_the_order_and_the_ends_of_the_catalogue(reporting: Running) -> None:
    owner = uuid7()
    lives = [Life(owner).move("L1", code) for code in ("L1.2", "L1.7", "L1.10")]
    await tell(reporting, [said for life in lives for said in life.said])
    await catalogue(reporting, 2, level("L1", 3), level("L1.10", 4), level("L1.7", 5, final=True), level("L1.2", 6))

    rows = (await get(reporting, "remaining", at="2026-11-30"))["rows"]
    assert [(row["level"], row["final"]) for row in rows] == [("L1.10", False), ("L1.7", True), ("L1.2", False)]
    status = (await get(reporting, "status"))["rows"]
    assert [row["level"] for row in status] == ["L1.10", "L1.7", "L1.2"]


async def test_a_level_of_the_companys_own_that_ends_orders_is_not_divided_by_who_cares_for_them(
    reporting: Running,
) -> None:
    lives = [float_away(wait(Life(uuid7()).move("L1", code), 1), 2) for code in ("L1.7", "L1.8")]
    await tell(reporting, [said for life in lives for said in life.said])
    await catalogue(reporting, 2, level("L1.7", 4), level("L1.8", 5, final=True))

    for report, asked in (("status", {}), ("remaining", {"at": "2026-12-31"})):
        rows = (await get(reporting, report, **asked))["rows"]
        assert [(row["level"], row["in_care"], row["floating"]) for row in rows] == [("L1.7", 0, 1), ("L1.8", None, 0)]
    assert (await get(reporting, "identity"))["holds"] is True
