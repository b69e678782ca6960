"""Which process an order's care begins with: the first rule that fits, else the default; and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from uuid_utils.compat import uuid7

from shared.contracts.events.leads import LEAD_CORRECTED, LeadCorrected
from shared.contracts.events.leads_everyday import LEAD_TAGGED, TAG_CHANGED, LeadTagged, TagChanged
from tests.integration.orders.support import Shop
from tests.integration.orders.test_processes import Draft

URL = "/v1/care-processes/choice"


async def processes(shop: Shop, *keys: str) -> None:
    for key in keys:
        assert (await (await Draft.begin(shop, key=key)).publish()).status_code == 201


async def choose(shop: Shop, *rules: dict[str, Any], default: str = "cod_standard") -> httpx.Response:
    etag = (await shop.admin.client.get(URL)).headers["ETag"]
    body = {"rules": list(rules), "default": default}
    return await shop.admin.client.put(URL, json=body, headers={"If-Match": etag})


async def process_of(shop: Shop, order_id: UUID) -> tuple[str, int]:
    care = (await shop.order(order_id, by=shop.admin))["care"]
    return care["process"], care["process_version"]


async def tag(shop: Shop, name: str) -> UUID:
    tag_id = uuid7()
    changed = TagChanged(
        tag_id=tag_id, version=1, name=name, colour="#3b82f6", group="", position=1, retired=False, at=shop.clock.now
    )
    await shop.service.receive(TAG_CHANGED, changed, subject=tag_id)
    return tag_id


async def tagged(shop: Shop, order_id: UUID, *tags: UUID, version: int = 1) -> None:
    fact = LeadTagged(lead_id=order_id, version=version, tags=tags, at=shop.clock.now)
    await shop.service.receive(LEAD_TAGGED, fact, subject=order_id)


async def test_the_first_rule_that_fits_chooses_and_the_default_takes_the_rest(shop: Shop) -> None:
    await processes(shop, "cosmetics", "facebook")
    answer = await choose(
        shop,
        {"name": "Mỹ phẩm", "process": "cosmetics", "products": ["serum*", "CREAM_1"]},
        {"name": "Facebook", "process": "facebook", "channels": ["facebook_form"], "campaigns": ["T11", "T12"]},
    )
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    facebook = {"channel": "facebook_form", "campaign": "T12"}
    cases = [
        ({"product": "SERUM-C-30", "source": facebook}, "cosmetics"),
        ({"product": "CREAM_1"}, "cosmetics"),
        ({"product": "CREAMX1"}, "cod_standard"),
        ({"product": "SOAP", "source": facebook}, "facebook"),
        ({"product": "SOAP", "source": facebook | {"campaign": "T10"}}, "cod_standard"),
    ]
    for fields, expected in cases:
        assert (await process_of(shop, await shop.number(**fields)))[0] == expected, fields


async def test_a_tag_chooses_also_after_it_was_merged_into_another(shop: Shop) -> None:
    await processes(shop, "vip")
    old, new = await tag(shop, "VIP"), await tag(shop, "Khách VIP")
    await choose(shop, {"name": "VIP", "process": "vip", "tags": [str(old)]})
    await shop.service.receive(
        TAG_CHANGED,
        TagChanged(
            tag_id=old,
            version=2,
            name="VIP",
            colour="#3b82f6",
            group="",
            position=1,
            retired=True,
            merged_into=new,
            at=shop.clock.now,
        ),
        subject=old,
    )
    order = await shop.accept()
    await tagged(shop, order, new)
    await shop.assign(order, shop.sale)
    await shop.look(order)
    assert (await process_of(shop, order))[0] == "vip"


async def test_the_preview_says_what_an_order_would_get_and_why(shop: Shop) -> None:
    await processes(shop, "cosmetics")
    rule = {"name": "Mỹ phẩm", "process": "cosmetics", "products": ["SERUM*"], "channels": ["facebook_form"]}
    await choose(shop, rule)
    asked = (
        await shop.sale.client.get(f"{URL}/preview", params={"product": "Serum A", "channel": "facebook_form"})
    ).json()
    assert (asked["process"], asked["process_version"], asked["rule"]) == ("cosmetics", 1, "Mỹ phẩm")
    assert asked["en"] == "The rule “Mỹ phẩm” is the first that fits, so it is the process “cosmetics”."
    order = await shop.number(product="SERUM")
    of_order = (await shop.sale.client.get(f"{URL}/preview", params={"order_id": str(order)})).json()
    assert (of_order["process"], of_order["rule"]) == ("cod_standard", "")
    assert of_order["rules"] == [{"name": "Mỹ phẩm", "process": "cosmetics", "fits": False, "misses": ["channel"]}]


async def test_the_choice_is_made_when_care_begins_and_kept(shop: Shop) -> None:
    await processes(shop, "cosmetics")
    order = await shop.number(product="SERUM")
    await choose(shop, {"name": "Mỹ phẩm", "process": "cosmetics", "products": ["SERUM"]})
    await shop.assign(order, shop.colleague)
    await shop.look(order)
    assert await process_of(shop, order) == ("cod_standard", 3)


async def test_a_tag_chooses_again_while_nobody_has_called_yet(shop: Shop) -> None:
    shop.clock.now = datetime.now(UTC)
    await processes(shop, "vip")
    vip = await tag(shop, "VIP")
    await choose(shop, {"name": "VIP", "process": "vip", "tags": [str(vip)]})
    order, called, unbegun = await shop.number(), await shop.number(), await shop.accept()
    await shop.assign(unbegun, shop.sale)
    await shop.call(called, "no_answer")
    before = (await shop.order(order))["tasks"]
    for each in (order, called, unbegun):
        await tagged(shop, each, vip)
    assert [(await process_of(shop, each))[0] for each in (order, called, unbegun)] == ["vip", "cod_standard", "vip"]
    assert [task["id"] for task in (await shop.order(order))["tasks"]] == [task["id"] for task in before]
    await tagged(shop, order, version=2)
    assert (await process_of(shop, order))[0] == "cod_standard"


async def test_another_product_chooses_again_while_nobody_has_called_yet(shop: Shop) -> None:
    shop.clock.now = datetime.now(UTC)
    await processes(shop, "soaps")
    await choose(shop, {"name": "Xà phòng", "process": "soaps", "products": ["SOAP"]})
    order = await shop.number(product="SERUM")
    (lead,) = await shop.service.rows("SELECT phone FROM orders WHERE id = :id", id=order)
    corrected = LeadCorrected(
        lead_id=order, revision=2, phone=lead.phone, product="SOAP", at=shop.clock.now, number_changed=False
    )
    await shop.service.receive(LEAD_CORRECTED, corrected, subject=order)
    assert (await process_of(shop, order))[0] == "soaps"


async def test_of_two_who_change_the_rules_the_second_hears_of_the_first(shop: Shop) -> None:
    body = {"rules": [], "default": "cod_standard"}
    answers = [await shop.admin.client.put(URL, json=body, headers={"If-Match": '"1"'}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 412]


async def test_rules_name_what_exists_and_is_in_use(shop: Shop) -> None:
    await processes(shop, "gifts")
    unknown = await choose(shop, {"name": "x", "process": "nothing"})
    assert (unknown.status_code, unknown.json()["names"]) == (422, "nothing")
    stranger = await choose(shop, {"name": "x", "process": "gifts", "tags": [str(uuid7())]})
    assert stranger.json()["what"] == "tag"
    await shop.admin.client.post("/v1/care-processes/gifts/retire", json={"reason": "thử"})
    assert (await choose(shop, {"name": "x", "process": "gifts"})).json()["title"] == "process-retired"


async def test_a_process_that_a_rule_names_cannot_be_retired_and_care_in_a_retired_one_goes_on(shop: Shop) -> None:
    await processes(shop, "gifts")
    await choose(shop, {"name": "Quà", "process": "gifts", "products": ["GIFT"]})
    order = await shop.number(product="GIFT")
    url = "/v1/care-processes/gifts/retire"
    refused = await shop.admin.client.post(url, json={"reason": "thử"})
    assert refused.json()["rules"] == "Quà"
    await choose(shop)
    assert (await shop.admin.client.post(url, json={"reason": "thử"})).status_code == 204
    answer = await shop.call(order, "no_answer")
    assert answer.status_code == 201, answer.text
    assert (answer.json()["care"]["process"], answer.json()["care"]["step"]) == ("gifts", "no_answer_2")


async def test_only_who_publishes_changes_the_rules(shop: Shop) -> None:
    body = {"rules": [], "default": "cod_standard"}
    answer = await shop.manager.client.put(URL, json=body, headers={"If-Match": '"1"'})
    assert answer.json()["permission"] == "orders.process.publish"
