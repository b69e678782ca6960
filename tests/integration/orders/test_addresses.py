"""Official units of both eras: loaded as data, found by what people type, checked at closing."""

from __future__ import annotations

from typing import Any

import httpx

from shared.contracts.events.orders import ORDER_CLOSED
from tests.integration.orders.support import Person, Shop

# Part of the official lists: wards of Quận 1 (until 2025-06-30), and those that Resolution 1685/NQ-UBTVQH15 made of them.
CHANGES = """provinceCode,province,districtCode,district,wardCode,ward,newProvinceCode,newProvince,newWardCode,newWard
79,Thành phố Hồ Chí Minh,760,Quận 1,26740,Phường Bến Nghé,79,Thành phố Hồ Chí Minh,26740,Phường Sài Gòn
79,Thành phố Hồ Chí Minh,760,Quận 1,26737,Phường Đa Kao,79,Thành phố Hồ Chí Minh,26740,Phường Sài Gòn
79,Thành phố Hồ Chí Minh,760,Quận 1,26737,Phường Đa Kao,79,Thành phố Hồ Chí Minh,26737,Phường Tân Định
79,Thành phố Hồ Chí Minh,760,Quận 1,26743,Phường Bến Thành,79,Thành phố Hồ Chí Minh,26743,Phường Bến Thành
79,Thành phố Hồ Chí Minh,760,Quận 1,26746,Phường Nguyễn Thái Bình,79,Thành phố Hồ Chí Minh,26743,Phường Bến Thành
79,Thành phố Hồ Chí Minh,760,Quận 1,26746,Phường Nguyễn Thái Bình,79,Thành phố Hồ Chí Minh,26740,Phường Sài Gòn
"""
NOW_LISTED = """Mã,Tên,Mã TP,Tỉnh / Thành Phố
26740,Phường Sài Gòn,79,Thành phố Hồ Chí Minh
26737,Phường Tân Định,79,Thành phố Hồ Chí Minh
"""


async def load(
    shop: Shop, content: str = CHANGES, *, file: str = "changes", by: Person | None = None
) -> httpx.Response:
    return await (by or shop.admin).client.post(
        "/v1/address-units/load", params={"file": file, "source": "test", "licence": "MIT"}, content=content.encode()
    )


async def found(shop: Shop, typed: str, **query: Any) -> list[str]:
    answer = await shop.sale.client.get("/v1/address-units/search", params={"text": typed, **query})
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def test_provinces_of_both_eras_are_there_from_the_beginning(shop: Shop) -> None:
    for era, count in (("two_tier", 34), ("three_tier", 63)):
        items = (await shop.sale.client.get("/v1/address-units", params={"era": era})).json()["items"]
        assert len(items) == count
    assert (await found(shop, "tp hcm"))[0] == "Thành phố Hồ Chí Minh"
    assert await found(shop, "dac lac", era="three_tier") == ["Tỉnh Đắk Lắk"]
    quang_binh = (await shop.sale.client.get("/v1/address-units/three_tier/44")).json()
    assert quang_binh["unit"]["name"] == "Tỉnh Quảng Bình"
    assert [each["unit"]["name"] for each in quang_binh["became"]] == ["Tỉnh Quảng Trị"]


async def test_one_code_is_the_right_ward_of_either_era(shop: Shop) -> None:
    loaded = (await load(shop)).json()
    assert loaded == {"units": 10, "changes": 7, "retired": 0, "unchanged": False}
    assert (await load(shop)).json()["unchanged"] is True

    old = (await shop.sale.client.get("/v1/address-units/three_tier/26740")).json()
    new = (await shop.sale.client.get("/v1/address-units/two_tier/26740")).json()
    assert (old["unit"]["name"], old["unit"]["district"]) == ("Phường Bến Nghé", "Quận 1")
    assert (new["unit"]["name"], new["unit"]["district"]) == ("Phường Sài Gòn", "")
    assert [(each["unit"]["code"], each["default"]) for each in old["became"]] == [("26740", True)]
    assert [each["name"] for each in new["was"]] == ["Phường Đa Kao", "Phường Bến Nghé", "Phường Nguyễn Thái Bình"]
    split = (await shop.sale.client.get("/v1/address-units/three_tier/26737")).json()["became"]
    assert [(each["unit"]["name"], each["default"]) for each in split] == [
        ("Phường Tân Định", False),
        ("Phường Sài Gòn", False),
    ]


async def test_whoever_looks_in_a_unit_that_is_not_there_is_told(shop: Shop) -> None:
    for path, query in (("", {"parent": "98"}), ("/search", {"text": "bến thành", "within": "98"})):
        answer = await shop.sale.client.get(f"/v1/address-units{path}", params=query)
        assert (answer.status_code, answer.json()["title"]) == (404, "not-found")


async def test_units_are_found_by_what_people_type(shop: Shop) -> None:
    await load(shop)
    assert await found(shop, "p. bến nghé, q1, tphcm", era="three_tier") == ["Phường Bến Nghé"]
    assert await found(shop, "ben ng", era="three_tier") == ["Phường Bến Nghé"]
    assert (await found(shop, "q.1", era="three_tier"))[0] == "Quận 1"
    assert await found(shop, "nghe ben", era="three_tier") == ["Phường Bến Nghé"]
    assert await found(shop, "bến nghé") == []
    assert await found(shop, "26740") == ["Phường Sài Gòn"]
    assert await found(shop, "bến thành", within="79") == ["Phường Bến Thành"]
    assert await found(shop, "bến thành", within="01") == []
    wards = (await shop.sale.client.get("/v1/address-units", params={"parent": "79", "limit": 2})).json()
    assert [item["code"] for item in wards["items"]] == ["26737", "26740"]
    rest = (await shop.sale.client.get("/v1/address-units", params={"parent": "79", "after": wards["next"]})).json()
    assert [item["code"] for item in rest["items"]] == ["26743"]


async def test_a_later_list_retires_what_it_leaves_out_and_forgets_nothing(shop: Shop) -> None:
    await load(shop)
    assert (await load(shop, NOW_LISTED, file="two_tier")).json()["retired"] == 1
    assert await found(shop, "bến thành") == []
    unit = (await shop.sale.client.get("/v1/address-units/two_tier/26743")).json()["unit"]
    assert (unit["name"], unit["retired"]) == ("Phường Bến Thành", True)
    assert len((await shop.sale.client.get("/v1/address-units")).json()["items"]) == 34


async def test_a_list_that_cannot_be_read_is_refused_whole(shop: Shop) -> None:
    wrong = await load(shop, CHANGES + "79,Thành phố Hồ Chí Minh,760,Quận 1,abc,Phường X,79,HCM,1,Y\n")
    assert (wrong.status_code, wrong.json()["title"], wrong.json()["line"]) == (422, "unreadable-units", 8)
    assert await found(shop, "bến nghé", era="three_tier") == []
    assert (await load(shop, by=shop.sale)).status_code == 403


async def validate(shop: Shop, **address: str) -> dict[str, Any]:
    answer = await shop.sale.client.post("/v1/addresses/validate", json={"detail": "12 Lê Lợi", **address})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_an_address_in_text_is_given_its_codes_and_an_old_one_its_successors(shop: Shop) -> None:
    assert (await validate(shop, province="tp hcm", ward="p bến thành"))["problem"] == "address-units-not-loaded"
    await load(shop)
    new = await validate(shop, province="tp hcm", ward="p bến thành")
    assert (new["valid"], new["address"]["ward_code"], new["address"]["ward"]) == (True, "26743", "p bến thành")
    old = await validate(shop, province="Hồ Chí Minh", district="q1", ward="Đa Kao")
    assert (old["era"], old["address"]["ward_code"], old["address"]["district_code"]) == ("three_tier", "26737", "760")
    assert [each["unit"]["name"] for each in old["successors"]] == ["Phường Tân Định", "Phường Sài Gòn"]
    vague = await validate(shop, province="tp hcm", ward="bến")
    assert (vague["valid"], vague["problem"]) == (False, "ambiguous")
    assert [each["name"] for each in vague["candidates"]] == ["Phường Bến Thành"]
    elsewhere = await validate(shop, province_code="01", ward_code="26743")
    assert (elsewhere["valid"], elsewhere["problem"]) == (False, "address-unit-elsewhere")


async def test_an_order_is_closed_by_codes_and_the_text_stays_as_it_was_typed(shop: Shop) -> None:
    await load(shop)
    await shop.stocked()
    order_id = await shop.number()
    closed = await shop.close(order_id, address={"ward_code": "26740", "detail": "2 Đồng Khởi", "ward": "P. Sài gòn"})
    assert closed.status_code == 201, closed.text
    contents = (await shop.order(order_id))["contents"]
    assert (contents["ward"], contents["ward_code"], contents["province"], contents["province_code"]) == (
        "P. Sài gòn",
        "26740",
        "Thành phố Hồ Chí Minh",
        "79",
    )
    (event,) = await shop.service.outbox(ORDER_CLOSED.name)
    assert event["payload"]["address"]["ward_code"] == "26740"
    # The same code with a district is the ward of before.
    old = {"ward_code": "26740", "district_code": "760", "detail": "2 Đồng Khởi"}
    edited = await shop.sale.client.patch(
        f"/v1/orders/{order_id}/contents", json={"address": old}, headers={"If-Match": '"1"'}
    )
    assert edited.status_code == 200, edited.text
    contents = (await shop.order(order_id))["contents"]
    assert (contents["ward"], contents["district"]) == ("Phường Bến Nghé", "Quận 1")


async def test_codes_that_do_not_belong_together_are_refused_at_closing(shop: Shop) -> None:
    await shop.stocked()
    order_id = await shop.number()
    too_early = await shop.close(order_id, address={"ward_code": "26740", "detail": "2 Đồng Khởi"})
    assert (too_early.status_code, too_early.json()["title"]) == (409, "address-units-not-loaded")
    await load(shop)
    for address, problem in (
        ({"ward_code": "99999", "detail": "1"}, "unknown-address-unit"),
        ({"ward_code": "79", "detail": "1"}, "unknown-address-unit"),
        ({"ward_code": "26740", "province_code": "01", "detail": "1"}, "address-unit-elsewhere"),
        ({"ward_code": "26740", "district_code": "999", "detail": "1"}, "unknown-address-unit"),
        ({"province": "HCM", "detail": "1"}, "invalid"),
        ({"ward": "Bến Thành", "detail": "1"}, "invalid"),
        ({"ward_code": "26740", "detail": " "}, "invalid"),
    ):
        refused = await shop.close(order_id, address=address)
        assert (refused.status_code, refused.json()["title"]) == (422, problem), address
    assert await shop.level(order_id) == "L1"
