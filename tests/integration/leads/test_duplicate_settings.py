"""The duplicate window as a setting of the company."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.harness import Running
from tests.integration.leads.company import post
from tests.integration.leads.test_levels import reach

URL = "/v1/settings/duplicates"


async def change(client: httpx.AsyncClient, **setting: Any) -> dict[str, Any]:
    """Puts another setting in force."""
    before = await client.get(URL)
    answer = await client.put(URL, json=setting, headers={"If-Match": before.headers["etag"]})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_window_is_as_installed_until_somebody_changes_it(leads: Running) -> None:
    client = await leads.client()

    answer = await client.get(URL)

    assert answer.json() == {
        "days": 7,
        "by_product": False,
        "product_groups": {},
        "version": 0,
        "changed_at": None,
        "changed_by": "",
    }
    assert answer.headers["etag"] == '"0"'


async def test_a_change_holds_for_the_next_arrival_and_leaves_windows_as_they_are(leads: Running) -> None:
    client = await leads.client()
    await post(client, "0912345678")

    await change(client, days=0)

    old = await post(client, "0912345678")
    new = [await post(client, "0987654321") for _ in range(2)]
    assert old["verdict"] == "duplicate"
    assert [one["verdict"] for one in new] == ["lead", "lead"]


async def test_every_process_judges_by_the_new_setting_at_once(leads: Running, databases: Any) -> None:
    from services.leads.app import SERVICE
    from tests.harness import running

    async with running(SERVICE, databases, database_url=leads.url) as second:
        await change(await leads.client(), days=0)
        client = await second.client()

        made = [await post(client, "0912345678") for _ in range(2)]

    assert [one["verdict"] for one in made] == ["lead", "lead"]


async def test_of_two_who_change_the_same_version_the_second_is_refused(leads: Running) -> None:
    client = await leads.client()

    answers = await asyncio.gather(
        *(client.put(URL, json={"days": days}, headers={"If-Match": '"0"'}) for days in (3, 30))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412]
    (lost,) = [answer for answer in answers if answer.status_code == 412]
    assert lost.json()["title"] == "if-match-failed"


async def test_without_the_version_or_the_permission_nothing_is_changed(leads: Running) -> None:
    client = await leads.client()
    reader = await leads.client("leads.read")

    blind = await client.put(URL, json={"days": 3})
    forbidden = await reader.put(URL, json={"days": 3}, headers={"If-Match": '"0"'})

    assert (blind.status_code, forbidden.status_code) == (428, 403)
    assert (await reader.get(URL)).json()["days"] == 7


async def test_impossible_settings_are_refused_with_the_field(leads: Running) -> None:
    client = await leads.client()

    for body in ({"days": -1}, {"days": 366}, {"days": 7, "product_groups": {"Serum": "a", "serum": "b"}}):
        answer = await client.put(URL, json=body, headers={"If-Match": '"0"'})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"]


async def test_the_history_says_who_changed_what(leads: Running) -> None:
    client = await leads.client(code="QL01")
    for days in (3, 5, 14):
        await change(client, days=days)

    first = (await client.get(f"{URL}/history", params={"limit": 2})).json()
    rest = (await client.get(f"{URL}/history", params={"limit": 2, "after": first["next"]})).json()

    assert [(one["version"], one["days"], one["changed_by"]) for one in first["items"] + rest["items"]] == [
        (3, 14, "QL01"),
        (2, 5, "QL01"),
        (1, 3, "QL01"),
    ]
    assert rest["next"] is None


async def test_with_the_product_in_the_key_another_product_is_a_new_lead_for_the_last_owner(leads: Running) -> None:
    client = await leads.client()
    await change(client, days=7, by_product=True, product_groups={"KEM-50": "da", "SERUM-30": "da"})

    serum = await post(client, "0912345678", product="SERUM-30")
    cream = await post(client, "0912345678", product="kem-50")
    tea = await post(client, "0912345678", product="TRA")
    more_tea = await post(client, "0912345678", product="TRA")

    assert (cream["verdict"], cream["anchor_id"]) == ("duplicate", serum["id"])
    assert tea["verdict"] == "lead"
    assert (more_tea["verdict"], more_tea["anchor_id"]) == ("duplicate", tea["id"])


@pytest.mark.parametrize("way", ["one by one", "many at once"])
async def test_a_lead_whose_product_is_corrected_is_the_first_of_its_new_product_alone(
    leads: Running, way: str
) -> None:
    client = await leads.client()
    await change(client, days=7, by_product=True)
    first = await post(client, "0912345678", product="SERUM")
    if way == "one by one":
        body = {"product": "TRA"}
        answer = await client.patch(f"/v1/leads/{first['id']}", json=body, headers={"If-Match": '"1"'})
    else:
        action = {"kind": "product", "product": "TRA"}
        answer = await client.post("/v1/leads/bulk", json={"action": action, "ids": [first["id"]]})
    assert answer.status_code == 200, answer.text

    serum = await post(client, "0912345678", product="SERUM")
    tea = await post(client, "0912345678", product="TRA")
    more_serum = await post(client, "0912345678", product="SERUM")

    assert serum["verdict"] == "lead", "nobody has asked for it"
    assert (tea["verdict"], tea["anchor_id"]) == ("duplicate", first["id"])
    assert (more_serum["verdict"], more_serum["anchor_id"]) == ("duplicate", serum["id"])


async def test_an_order_that_is_sent_ends_the_window_of_its_product_group_alone(leads: Running) -> None:
    client = await leads.client()
    await change(client, days=7, by_product=True)
    serum = await post(client, "0912345678", product="SERUM")
    tea = await post(client, "0912345678", product="TRA")

    await reach(leads, serum, "L5", "L7", "L7.1")

    again_serum = await post(client, "0912345678", product="SERUM")
    again_tea = await post(client, "0912345678", product="TRA")
    assert (again_serum["verdict"], again_serum["returning_customer"]) == ("lead", True)
    assert (again_tea["verdict"], again_tea["anchor_id"]) == ("duplicate", tea["id"])


async def test_200_posts_of_one_number_for_four_products_leave_one_lead_for_each_product(leads: Running) -> None:
    client = await leads.client()
    await change(client, days=7, by_product=True)

    made = await asyncio.gather(*(post(client, "0912345678", product=f"SP{place % 4}") for place in range(200)))

    assert Counter(one["verdict"] for one in made) == {"lead": 4, "duplicate": 196}


async def test_switching_the_key_back_and_forth_under_fire_never_doubles_what_either_rule_forbids(
    leads: Running,
) -> None:
    client = await leads.client()

    async def fire() -> list[dict[str, Any]]:
        return await asyncio.gather(
            *(post(client, f"091234567{place % 5}", product=f"SP{place % 3}") for place in range(150))
        )

    async def switch() -> None:
        for place in range(6):
            await change(client, days=7, by_product=place % 2 == 0)

    made, _ = await asyncio.gather(fire(), switch())

    clean = await leads.rows("SELECT phone, product FROM leads WHERE verdict = 'lead'")
    assert max(Counter((row.phone, row.product) for row in clean).values()) == 1
    assert {row.phone for row in clean} == {f"+8491234567{place}" for place in range(5)}
    assert len(made) == 150
