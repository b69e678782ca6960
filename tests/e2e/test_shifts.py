"""A shift that is changed in staff decides in leads who is given numbers, over the real broker."""

from __future__ import annotations

from tests.harness import eventually
from tests.shop import WITHIN, Shop


async def test_who_is_put_into_a_shift_that_is_over_is_off_shift_in_leads_until_taken_out_of_it(shop: Shop) -> None:
    await shop.stay_signed_in()
    person = shop.company.sales[-1]
    past = {"on": "2020-01-01", "periods": ["08:00-12:00"]}
    shift = await shop.admin.ask(
        "staff", "POST", "/v1/shifts", name="Ca đã qua", weekdays=[], periods=[], special_days=[past]
    )

    async def states() -> set[str]:
        pools = (await shop.admin.get("leads", "/v1/pools"))["items"]
        shown = [await shop.admin.get("leads", f"/v1/pools/{one['id']}") for one in pools]
        return {each["state"] for one in shown for each in one["members"] if each["account_id"] == person.id}

    before = await states()
    assert "off_shift" not in before
    await shop.admin.ask("staff", "PATCH", f"/v1/shifts/{shift['id']}/members", add=[person.id])
    try:

        async def off_shift() -> bool:
            return await states() == {"off_shift"}

        await eventually(off_shift, within=WITHIN, what="leads heard of the shift")
    finally:
        await shop.admin.ask("staff", "PATCH", f"/v1/shifts/{shift['id']}/members", remove=[person.id])

    async def as_before() -> bool:
        return "off_shift" not in await states()

    await eventually(as_before, within=WITHIN, what="leads heard that the shift is no longer theirs")
