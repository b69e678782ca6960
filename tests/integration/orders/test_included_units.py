"""The official units that come with the program, whole, as `migrate` loads them."""

from __future__ import annotations

import asyncio
from typing import Any

from deploy.local.migrate import INCLUDED
from services.orders.addresses.included import load_included
from tests.integration.orders.support import Shop
from tests.integration.orders.test_addresses import found, load

COUNTS = """
SELECT era, tier, count(*) FROM address_units WHERE retired_at IS NULL GROUP BY era, tier ORDER BY era, tier
"""
# A province, district or ward that lies in nothing, or in something that is in another province.
ASTRAY = """
SELECT u.era, u.code FROM address_units u LEFT JOIN address_units p ON p.era = u.era AND p.code = u.parent
WHERE u.tier <> 'province' AND p.province IS DISTINCT FROM u.province
"""
# Old wards, and districts without wards, that became nothing or have no or several defaults; new wards made of nothing.
UNMAPPED = """
SELECT u.era, u.code FROM address_units u
WHERE CASE u.era WHEN 'three_tier' THEN
        NOT EXISTS (SELECT FROM address_units w WHERE w.era = u.era AND w.parent = u.code)
        AND (SELECT count(*) FROM address_unit_changes c WHERE c.old_code = u.code AND c.is_default) <> 1
    ELSE NOT EXISTS (SELECT FROM address_unit_changes c WHERE c.new_code = u.code) END
"""
# Of a change the provinces must be those of a change of provinces.
CONTRARY = """
SELECT c.old_code, c.new_code FROM address_unit_changes c
JOIN address_units o ON o.era = 'three_tier' AND o.code = c.old_code
JOIN address_units n ON n.era = 'two_tier' AND n.code = c.new_code
WHERE NOT EXISTS (SELECT FROM address_unit_changes p WHERE p.old_code = o.province AND p.new_code = n.province)
"""


async def unit(shop: Shop, era: str, code: str) -> dict[str, Any]:
    return dict((await shop.sale.client.get(f"/v1/address-units/{era}/{code}")).json())


async def test_the_whole_country_comes_with_the_program_in_both_eras(shop: Shop) -> None:
    db = shop.service.db
    await asyncio.gather(load_included(db), load_included(db))  # two at once load it once

    assert [tuple(row) for row in await shop.service.rows(COUNTS)] == [
        ("three_tier", "district", 696),
        ("three_tier", "province", 63),
        ("three_tier", "ward", 10_035),
        ("two_tier", "province", 34),
        ("two_tier", "ward", 3_321),
    ]
    (kept,) = await shop.service.rows("SELECT file, licence, units, changes, by_code FROM address_unit_loads")
    assert tuple(kept) == ("changes", "MIT", 14_149, 10_641, "system")
    for wrong in (ASTRAY, UNMAPPED, CONTRARY):
        assert await shop.service.rows(wrong) == []

    old, new = await unit(shop, "three_tier", "26740"), await unit(shop, "two_tier", "26740")
    assert (old["unit"]["name"], old["unit"]["district"], old["unit"]["province"]) == (
        "Phường Bến Nghé",
        "Quận 1",
        "Thành phố Hồ Chí Minh",
    )
    assert (new["unit"]["name"], new["unit"]["district"]) == ("Phường Sài Gòn", "")
    assert [each["unit"]["name"] for each in old["became"]] == ["Phường Sài Gòn"]
    split = (await unit(shop, "three_tier", "26737"))["became"]
    assert [(each["unit"]["name"], each["default"]) for each in split] == [
        ("Phường Sài Gòn", True),
        ("Phường Tân Định", False),
    ]
    # Two wards of one name in what is one province now.
    for code, name in (("31268", "Xã Trường Thành"), ("31666", "Xã Tân Thạnh"), ("31379", "Xã Phú Hữu")):
        assert [each["unit"]["name"] for each in (await unit(shop, "three_tier", code))["became"]] == [name]
    con_dao = (await unit(shop, "three_tier", "755"))["became"]
    assert [each["unit"]["name"] for each in con_dao] == ["Đặc khu Côn Đảo"]

    assert (await found(shop, "p ben nghe, q1, tphcm", era="three_tier"))[0] == "Phường Bến Nghé"
    assert (await found(shop, "phuong hoan kiem ha noi"))[0] == "Phường Hoàn Kiếm"


async def test_what_a_company_has_loaded_is_kept(shop: Shop) -> None:
    await load(shop)
    await load_included(shop.service.db)
    assert (await shop.service.rows("SELECT count(*) FROM address_units WHERE tier = 'ward'"))[0][0] == 7
    assert len(await shop.service.rows("SELECT id FROM address_unit_loads")) == 1


async def test_the_local_stack_loads_what_the_service_loads(shop: Shop) -> None:
    assert INCLUDED["orders"] is shop.service.service.included
