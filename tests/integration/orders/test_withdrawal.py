"""An import is undone: orders that nobody has worked on never were, whatever is still told of them."""

from __future__ import annotations

from uuid import UUID

from temporalio.testing import ActivityEnvironment
from uuid_utils.compat import uuid7

from services.orders.activities import activities
from shared.contracts.activities import UndoBatch
from shared.contracts.events.leads import LEAD_ACCEPTED, LEAD_DUPLICATED, LeadDuplicated, Source
from tests.integration.orders.support import MORNING, Shop, accepted

AUDIT = ("withdrawn_leads", "outbox", "inbox", "dead_letters", "alembic_version")


async def tables(shop: Shop) -> dict[str, str]:
    names = await shop.service.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(:audit)", audit=list(AUDIT)
    )
    found = {}
    for (name,) in names:
        sql = f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} t"
        found[name] = (await shop.service.rows(sql))[0][0]
    return found


async def withdraw(shop: Shop, leads: list[UUID], duplicates: list[UUID] | None = None) -> set[UUID]:
    """What the undo's workflow asks of orders; returns the orders that stay."""
    (activity,) = (found for found in activities(shop.service.runtime) if found.__name__ == "withdraw")
    batch = UndoBatch(import_id=uuid7(), lead_ids=tuple(leads), duplicate_ids=tuple(duplicates or ()), first_row=2)
    answer = await ActivityEnvironment().run(activity, batch)
    return set(answer.kept)


def duplicate(anchor: UUID) -> LeadDuplicated:
    return LeadDuplicated(
        lead_id=uuid7(), anchor_id=anchor, received_at=MORNING, source=Source(channel="excel"), anchor_asked_again=False
    )


async def test_withdrawn_orders_leave_no_trace_in_the_tables(shop: Shop) -> None:
    mine = await shop.accept(phone="+84912345678")
    await shop.assign(mine, shop.sale)
    before = await tables(shop)
    leads = [await shop.accept(phone=f"+8498765432{place}") for place in range(3)]
    again = await shop.accept(phone="+84912345678")
    await shop.assign(leads[0], shop.colleague)
    twin = duplicate(mine)
    await shop.service.receive(LEAD_DUPLICATED, twin, subject=twin.lead_id)
    assert await tables(shop) != before

    kept = await withdraw(shop, [*leads, again], [twin.lead_id])
    once_more = await withdraw(shop, [*leads, again], [twin.lead_id])

    assert kept == once_more == set()
    assert await tables(shop) == before


async def test_an_order_that_somebody_has_called_about_stays(shop: Shop) -> None:
    called, quiet = await shop.accept(phone="+84912345678"), await shop.accept(phone="+84912345679")
    for order in (called, quiet):
        await shop.assign(order, shop.sale)
    assert (await shop.call(called, "no_answer")).status_code == 201
    assert await withdraw(shop, [called, quiet]) == {called}
    assert (await shop.order(called, by=shop.admin))["level"]["code"] == "L1.4"
    assert (await shop.admin.client.get(f"/v1/orders/{quiet}")).status_code == 404


async def test_an_order_whose_customer_came_again_stays_unless_the_duplicate_goes_too(shop: Shop) -> None:
    order = await shop.accept()
    twin = duplicate(order)
    await shop.service.receive(LEAD_DUPLICATED, twin, subject=twin.lead_id)
    assert await withdraw(shop, [order]) == {order}
    assert await withdraw(shop, [order], [twin.lead_id]) == set()


async def test_what_is_told_of_a_withdrawn_lead_afterwards_is_ignored(shop: Shop) -> None:
    lead = accepted()
    anchor = await shop.accept(phone="+84912345679")
    twin = duplicate(anchor)
    before = await tables(shop)
    await withdraw(shop, [lead.lead_id], [twin.lead_id])
    await shop.service.receive(LEAD_ACCEPTED, lead, subject=lead.lead_id)
    await shop.assign(lead.lead_id, shop.sale)
    await shop.service.receive(LEAD_DUPLICATED, twin, subject=twin.lead_id)
    assert await tables(shop) == before
    assert await shop.service.rows("SELECT 1 FROM orders WHERE id = :id", id=lead.lead_id) == []
