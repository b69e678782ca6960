"""Saved views of the list: each person has their own."""

from __future__ import annotations

from uuid_utils.compat import uuid7

from tests.harness import Running


async def test_views_are_saved_by_name_replaced_and_deleted(leads: Running) -> None:
    client = await leads.client(account_id=uuid7())
    other = await leads.client(account_id=uuid7())
    view = {"name": "Chưa gọi được", "filter": {"level": ["L1.4"], "q": "lan"}, "position": 2}
    saved = await client.put("/v1/lead-views", json=view)
    assert saved.status_code == 200, saved.text
    await client.put("/v1/lead-views", json={"name": "Mới", "filter": {}, "position": 1, "order": "changed"})
    again = await client.put("/v1/lead-views", json={**view, "name": "chua GỌI được", "filter": {"level": ["L1.2"]}})

    assert again.json()["id"] == saved.json()["id"]
    shown = (await client.get("/v1/lead-views")).json()
    assert [(one["name"], one["filter"], one["order"]) for one in shown] == [
        ("Mới", {}, "changed"),
        ("chua GỌI được", {"level": ["L1.2"]}, "newest"),
    ]
    assert (await other.get("/v1/lead-views")).json() == []
    assert (await other.delete(f"/v1/lead-views/{shown[0]['id']}")).status_code == 404
    assert (await client.delete(f"/v1/lead-views/{shown[0]['id']}")).status_code == 204
    assert len((await client.get("/v1/lead-views")).json()) == 1


async def test_a_view_that_finds_nothing_ever_and_one_too_many_are_refused(leads: Running) -> None:
    client = await leads.client(account_id=uuid7())
    bad = await client.put("/v1/lead-views", json={"name": "x", "filter": {"phone": "12"}})
    assert (bad.status_code, bad.json()["title"]) == (422, "phone-filter-unreadable")
    for place in range(50):
        assert (await client.put("/v1/lead-views", json={"name": f"v{place}", "filter": {}})).status_code == 200
    full = await client.put("/v1/lead-views", json={"name": "v50", "filter": {}})
    assert (full.status_code, full.json()["title"]) == (409, "too-many-views")
    assert (await client.put("/v1/lead-views", json={"name": "v49", "filter": {"q": "lan"}})).status_code == 200
