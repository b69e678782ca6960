"""Tags: the catalogue with its groups and colours, and the tags of leads."""

from __future__ import annotations

from typing import Any

import httpx
from uuid_utils.compat import uuid7

from tests.harness import Running
from tests.integration.leads.company import post


async def group(client: httpx.AsyncClient, name: str = "Nhu cầu", **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/tag-groups", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def tag(client: httpx.AsyncClient, of: dict[str, Any], name: str, colour: str = "green") -> dict[str, Any]:
    answer = await client.post("/v1/tags", json={"group_id": of["id"], "name": name, "colour": colour})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def give(client: httpx.AsyncClient, lead: dict[str, Any], *add: str, remove: tuple[str, ...] = ()) -> list[str]:
    answer = await client.post(f"/v1/leads/{lead['id']}/tags", json={"add": list(add), "remove": list(remove)})
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["tags"]]


async def found(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get("/v1/leads", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_lead_gets_and_loses_tags_and_the_order_hears_of_it(leads: Running) -> None:
    client = await leads.client(code="NV012")
    needs = await group(client)
    hot, payday = await tag(client, needs, "Nóng", "red"), await tag(client, needs, "Hẹn lương")
    lead = await post(client, "0912345678")

    assert await give(client, lead, hot["id"], payday["id"]) == ["Hẹn lương", "Nóng"]
    assert await give(client, lead, hot["id"]) == ["Hẹn lương", "Nóng"]
    assert await give(client, lead, remove=(hot["id"],)) == ["Hẹn lương"]

    told = [event["payload"] for event in await leads.outbox("leads.lead.tagged.v1")]
    assert [(one["version"], set(one["tags"]), one["by"]) for one in told] == [
        (1, {hot["id"], payday["id"]}, "NV012"),
        (2, {payday["id"]}, "NV012"),
    ]
    kept = await leads.rows("SELECT kind, before, after FROM lead_changes ORDER BY at, id")
    assert [(row.kind, row.after["added"], row.before["removed"]) for row in kept] == [
        ("tags", ["Hẹn lương", "Nóng"], []),
        ("tags", [], ["Nóng"]),
    ]


async def test_lists_are_narrowed_to_all_any_or_none_of_tags(leads: Running) -> None:
    client = await leads.client()
    needs = await group(client)
    hot, cold = await tag(client, needs, "Nóng"), await tag(client, needs, "Nguội")
    both, one, none = [await post(client, f"091234567{place}") for place in range(3)]
    await give(client, both, hot["id"], cold["id"])
    await give(client, one, hot["id"])

    assert await found(client, tag_any=[hot["id"], cold["id"]]) == [one["id"], both["id"]]
    assert await found(client, tag_all=[hot["id"], cold["id"]]) == [both["id"]]
    assert await found(client, tag_none=[cold["id"]]) == [none["id"], one["id"]]
    assert await found(client, tag_any=hot["id"], tag_none=cold["id"]) == [one["id"]]


async def test_the_catalogue_shows_groups_in_order_with_counts(leads: Running) -> None:
    client = await leads.client()
    second = await group(client, "Khác", position=2)
    first = await group(client, "Nhu cầu", position=1)
    hot = await tag(client, first, "Nóng", "red")
    await tag(client, second, "Lạ")
    await give(client, await post(client, "0912345678"), hot["id"])

    groups = (await client.get("/v1/tags", params={"count": True})).json()["groups"]

    assert [(one["name"], [(t["name"], t["leads"]) for t in one["tags"]]) for one in groups] == [
        ("Nhu cầu", [("Nóng", 1)]),
        ("Khác", [("Lạ", 0)]),
    ]
    palette = {one["name"]: one["hex"] for one in (await client.get("/v1/tag-colours")).json()}
    assert groups[0]["tags"][0]["colour"] == palette["red"]


async def test_a_tag_that_was_used_is_retired_and_one_that_was_not_is_deleted(leads: Running) -> None:
    client = await leads.client()
    needs = await group(client)
    hot, cold = await tag(client, needs, "Nóng"), await tag(client, needs, "Nguội")
    lead = await post(client, "0912345678")
    await give(client, lead, hot["id"])

    assert (await client.delete(f"/v1/tags/{hot['id']}")).json() == {"deleted": False}
    assert (await client.delete(f"/v1/tags/{cold['id']}")).json() == {"deleted": True}

    shown = (await client.get("/v1/tags")).json()["groups"][0]["tags"]
    assert shown == []
    other = await post(client, "0912345679")
    refused = await client.post(f"/v1/leads/{other['id']}/tags", json={"add": [hot["id"]]})
    assert (refused.status_code, refused.json()["title"]) == (422, "tag-unknown")
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["tags"][0]["name"] == "Nóng"
    assert await give(client, lead, remove=(hot["id"],)) == []


async def test_merged_tags_are_one_also_on_leads_that_had_both(leads: Running) -> None:
    client = await leads.client()
    needs = await group(client)
    hot, warm = await tag(client, needs, "Nóng"), await tag(client, needs, "Ấm")
    one, both = [await post(client, f"091234567{place}") for place in range(2)]
    await give(client, one, warm["id"])
    await give(client, both, warm["id"], hot["id"])

    merged = await client.post(f"/v1/tags/{warm['id']}/merge", json={"into": hot["id"]})

    assert (merged.status_code, merged.json()["leads"]) == (200, 2)
    for lead in (one, both):
        tags = (await client.get(f"/v1/leads/{lead['id']}")).json()["tags"]
        assert [shown["name"] for shown in tags] == ["Nóng"]
    last = (await leads.outbox("leads.tag.changed.v1"))[-1]["payload"]
    assert (last["tag_id"], last["merged_into"], last["retired"]) == (warm["id"], hot["id"], True)
    again = await client.post(f"/v1/tags/{hot['id']}/merge", json={"into": warm["id"]})
    assert (again.status_code, again.json()["title"]) == (409, "tags-do-not-merge")


async def test_names_are_unique_in_their_group_whatever_case_and_accents(leads: Running) -> None:
    client = await leads.client()
    needs, other = await group(client), await group(client, "Khác")
    hot = await tag(client, needs, "Nóng")
    await tag(client, other, "Nóng")

    same = await client.post("/v1/tags", json={"group_id": needs["id"], "name": "NONG", "colour": "red"})
    assert (same.status_code, same.json()["title"]) == (409, "tag-name-taken")
    twin = await client.post("/v1/tag-groups", json={"name": "nhu CẦU"})
    assert (twin.status_code, twin.json()["title"]) == (409, "tag-group-name-taken")
    edit = {"group_id": needs["id"], "name": "Rất nóng", "colour": "red"}
    done = await client.put(f"/v1/tags/{hot['id']}", json=edit, headers={"If-Match": '"1"'})
    assert (done.status_code, done.json()["name"], done.headers["etag"]) == (200, "Rất nóng", '"2"')
    late = await client.put(f"/v1/tags/{hot['id']}", json=edit, headers={"If-Match": '"1"'})
    assert late.status_code == 412
    busy = await client.delete(f"/v1/tag-groups/{needs['id']}")
    assert (busy.status_code, busy.json()["title"]) == (409, "tag-group-in-use")


async def test_unknown_tags_colours_and_names_are_refused_by_name(leads: Running) -> None:
    client = await leads.client()
    needs, people = await group(client), await group(client, "Hạng", object="customer")
    gold = await tag(client, people, "Vàng")
    lead = await post(client, "0912345678")

    async def status(path: str, body: dict[str, Any]) -> tuple[int, str]:
        answer = await client.post(path, json=body)
        return answer.status_code, answer.json()["title"]

    assert await status("/v1/tags", {"group_id": needs["id"], "name": "A", "colour": "#ff0000"}) == (422, "invalid")
    assert await status("/v1/tags", {"group_id": needs["id"], "name": " \u200e ", "colour": "red"}) == (422, "invalid")
    assert await status("/v1/tags", {"group_id": str(uuid7()), "name": "A", "colour": "red"}) == (
        422,
        "tag-group-unknown",
    )
    for unknown in (str(uuid7()), gold["id"]):
        assert await status(f"/v1/leads/{lead['id']}/tags", {"add": [unknown]}) == (422, "tag-unknown")
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["tags"] == []


async def test_the_catalogue_is_for_those_who_may_correct_and_tagging_for_those_who_may_edit(leads: Running) -> None:
    admin = await leads.client()
    needs = await group(admin)
    hot = await tag(admin, needs, "Nóng")
    sale = await leads.client("leads.read", "leads.edit", "leads.create")
    reader = await leads.client("leads.read")
    lead = await post(sale, "0912345678")

    assert (
        await sale.post("/v1/tags", json={"group_id": needs["id"], "name": "A", "colour": "red"})
    ).status_code == 403
    assert await give(sale, lead, hot["id"]) == ["Nóng"]
    assert (await reader.post(f"/v1/leads/{lead['id']}/tags", json={"add": []})).status_code == 403
    other = await leads.client("leads.read", "leads.edit")
    assert (await other.post(f"/v1/leads/{lead['id']}/tags", json={"add": [hot["id"]]})).status_code == 404
