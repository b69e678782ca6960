"""What counts as revenue received: money that came home, and nothing else."""

from __future__ import annotations

import importlib

import pytest
from uuid_utils.compat import uuid7

from shared.contracts.events.shipping import COD_SETTLED, CodSettled
from tests.harness import Databases, Running, running
from tests.integration.reporting.test_reports import SERVICE, Life, get, reporting, tell

__all__ = ["reporting"]  # a fixture


async def money(of: Running) -> dict[str, tuple[int, int]]:
    """Kind → orders and đồng."""
    return {row["kind"]: (row["orders"], row["amount"]) for row in (await get(of, "money"))["rows"]}


def told(life: Life, *, amount: int, evidence: str = "statement", compensation: bool = False) -> Life:
    fact = CodSettled.model_validate(
        {
            "shipment_id": life.order_id,
            "order_id": life.order_id,
            "at": life.clock,
            "amount": amount,
            "carrier": "ghtk",
            "evidence": evidence,
            "compensation": compensation,
        }
    )
    life.said.append((COD_SETTLED, fact, life.order_id))
    return life


def sent(**closed: int) -> Life:
    return Life(owner=uuid7()).move("L1").close(**closed).move("L7").hand_over().move("L7.1")


async def test_an_order_that_was_paid_in_advance_is_received_on_the_day_of_its_delivery(reporting: Running) -> None:
    life = sent(total=330_000, fee=30_000, deposit=330_000)
    await tell(reporting, life.said)
    assert (await money(reporting))["received"] == (0, 0)
    await tell(reporting, life.move("L8").said[-1:])
    assert (await money(reporting))["received"] == (1, 300_000)
    # Some carriers report the end of a parcel without COD as the end of its money; it is the same order once.
    await tell(reporting, told(life, amount=0, evidence="status").said[-1:])
    assert (await money(reporting))["received"] == (1, 300_000)


async def test_a_carrier_s_compensation_is_told_apart_from_revenue(reporting: Running) -> None:
    life = told(sent(deposit=50_000).move("L7.6"), amount=280_000, compensation=True)
    await tell(reporting, life.said)
    assert (await money(reporting))["received"] == (0, 0)
    assert (await money(reporting))["compensated"] == (1, 280_000)


@pytest.mark.parametrize("evidence", ["statement", "bank"])
async def test_money_whose_proof_was_withdrawn_is_not_received_any_more(reporting: Running, evidence: str) -> None:
    life = told(sent().move("L8"), amount=330_000, evidence=evidence)
    await tell(reporting, life.said)
    assert (await money(reporting))["received"] == (1, 300_000)
    await tell(reporting, told(life, amount=0, evidence=evidence).said[-1:])
    assert (await money(reporting))["received"] == (0, 0)
    await tell(reporting, told(life, amount=330_000, evidence=evidence).said[-1:])
    assert (await money(reporting))["received"] == (1, 300_000)


async def test_the_days_that_were_summed_before_are_summed_by_the_same_rule(databases: Databases) -> None:
    lives = [
        sent(deposit=330_000).move("L8"),
        sent(deposit=50_000).move("L8").settle(),
        sent().move("L8").settle(100_000),
        sent().move("L8"),
        told(sent().move("L7.6"), amount=250_000, compensation=True),
        told(sent(deposit=330_000).move("L7.6"), amount=250_000, compensation=True),
        Life(owner=uuid7()).move("L1").close(deposit=330_000),
    ]
    summed_anew = importlib.import_module("services.reporting.migrations.versions.0011_compensated").SUM_ANEW
    async with running(SERVICE, databases) as told_of:
        await tell(told_of, [fact for life in lives for fact in life.said])
        before = await money(told_of)
        assert (before["received"][0], before["compensated"][0]) == (3, 2)
        pool = await told_of.db.driver()
        await pool.execute("DELETE FROM money_days WHERE kind IN ('received', 'compensated')")
        await pool.execute(summed_anew)
        assert await money(told_of) == before
