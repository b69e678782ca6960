"""The list of leads: filters, search, order, pages, counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.leads.listing import query
from services.leads.listing.filters import LeadFilters
from services.leads.repository.leads import Viewer
from tests.harness import Running
from tests.integration.leads.company import hire, pool, post

NOW = datetime.now(UTC)


async def ids(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get("/v1/leads", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def refused(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get("/v1/leads", params=query)
    assert answer.status_code == 422, answer.text
    return dict(answer.json())


async def test_a_number_is_found_by_any_spelling_and_by_its_last_digits(leads: Running) -> None:
    client = await leads.client()
    first = await post(client, "0912345678", name="Lan")
    second = await post(client, "0987654321", other_phone="0168 234 5777", name="Mai")

    for typed in ("+84 912.345.678", "0912345678", "678", "5 678", "12345678"):
        assert await ids(client, phone=typed) == [first["id"]], typed
    assert await ids(client, phone="777") == [second["id"]]
    assert await ids(client, phone="0382345777") == [second["id"]]
    assert await ids(client, phone="0912345678 / 0987654321") == [second["id"], first["id"]]
    assert (await refused(client, phone="12"))["title"] == "phone-filter-unreadable"
    assert (await refused(client, phone="abc"))["title"] == "phone-filter-unreadable"


async def test_words_are_found_without_accents_from_their_beginnings_in_name_note_and_address(leads: Running) -> None:
    client = await leads.client()
    lan = await post(client, "0912345678", name="Nguyễn Thị Lan", note="Gọi sau 17h", address="12 Lê Lợi, Đà Nẵng")
    anh = await post(client, "0912345679", name="ĐẶNG Ánh", note="hỏi giá SERUM-30", address="")

    for q in ("nguyen lan", "NGUYỄN", "da nang", "le loi n", "17h", "le loi lan", "lan 678", "0912 345 678"):
        assert await ids(client, q=q) == [lan["id"]], q
    for q in ("dang anh", "serum 30", "SERUM-30", "ánh", "679"):
        assert await ids(client, q=q) == [anh["id"]], q
    assert await ids(client, q="nguyen anh") == []
    assert await ids(client, q="l") == []
    assert (await refused(client, q="!?%' "))["title"] == "search-empty"


async def test_every_filter_narrows_to_its_leads(leads: Running) -> None:
    client = await leads.client()
    nam, hoa = await hire(leads, "NV012", "NV013")
    await pool(client, [nam], channels=["manual"])
    source = (await client.post("/v1/sources", json={"name": "Hội chợ", "channel": "event", "campaign": "tet"})).json()
    mine = await post(client, "0912345678", product="KEM")
    fair = await post(client, "0912345679", source_id=source["id"])
    again = await post(client, "0912345678")
    given = await client.post(f"/v1/leads/{fair['id']}/assign", json={"owner_id": str(hoa.id)})
    assert given.status_code == 200
    waiting = await post(client, "0912345670", source_id=source["id"])
    soon, past = (NOW + timedelta(hours=1)).isoformat(), (NOW - timedelta(hours=1)).isoformat()

    expected: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({"level": "C3.1"}, [again]),
        ({"level": ["L1", "C3.1"]}, [waiting, again, fair, mine]),
        ({"main_level": "L1"}, [waiting, fair, mine]),
        ({"main_level": "C3"}, [again]),
        ({"verdict": "duplicate"}, [again]),
        ({"anchor_id": mine["id"]}, [again]),
        ({"owner_id": str(nam.id)}, [mine]),
        ({"owner_id": [str(nam.id), str(hoa.id)]}, [fair, mine]),
        ({"unassigned": "true"}, [waiting]),
        ({"unassigned": "false"}, [fair, mine]),
        ({"waiting": "true"}, [waiting]),
        ({"waiting": "false"}, [again, fair, mine]),
        ({"source_id": source["id"]}, [waiting, fair]),
        ({"channel": "event"}, [waiting, fair]),
        ({"channel": ["event", "manual"]}, [waiting, again, fair, mine]),
        ({"campaign": "tet"}, [waiting, fair]),
        ({"product": "KEM"}, [mine]),
        ({"received_from": past, "received_to": soon}, [waiting, again, fair, mine]),
        ({"received_from": soon}, []),
        ({"assigned_from": past, "assigned_to": soon}, [fair, mine]),
        ({"assigned_from": soon}, []),
        ({"returning_customer": "true"}, []),
        ({"do_not_call": "false", "channel": "event"}, [waiting, fair]),
        ({"has_note": "true"}, []),
        ({"main_level": "L1", "channel": "event", "unassigned": "false"}, [fair]),
    ]
    for asked, wanted in expected:
        assert await ids(client, **asked) == [one["id"] for one in wanted], asked


async def test_a_team_is_the_owners_team(leads: Running) -> None:
    client = await leads.client()
    (nam,) = await hire(leads, "NV012")
    await pool(client, [nam])
    made = await post(client, "0912345678")

    assert await ids(client, team="Sale 1") == []
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE staff_members SET team = 'Sale 1' WHERE code = 'NV012'"))
    assert await ids(client, team=["Sale 1", "Sale 2"]) == [made["id"]]


@pytest.mark.parametrize("order", ["newest", "oldest", "changed"])
async def test_pages_show_each_lead_once_in_every_order(leads: Running, order: str) -> None:
    client = await leads.client()
    made = [(await post(client, f"09123456{place:02}"))["id"] for place in range(7)]

    seen: list[str] = []
    after: str | None = None
    while True:
        answer = (
            await client.get("/v1/leads", params={"order": order, "limit": 3, **({"after": after} if after else {})})
        ).json()
        seen += [item["id"] for item in answer["items"]]
        after = answer["next"]
        if after is None:
            break
    assert sorted(seen) == sorted(made)
    assert order == "changed" or seen == (made if order == "oldest" else made[::-1])


async def test_what_changes_comes_first_in_the_order_of_changes(leads: Running) -> None:
    client = await leads.client()
    (nam,) = await hire(leads, "NV012")
    first, second = await post(client, "0912345678"), await post(client, "0912345679")
    assert await ids(client, order="changed") == [second["id"], first["id"]]

    await client.post(f"/v1/leads/{first['id']}/assign", json={"owner_id": str(nam.id)})
    assert await ids(client, order="changed") == [first["id"], second["id"]]


async def test_a_list_shows_only_what_the_viewer_may_see_whatever_the_filter(leads: Running) -> None:
    boss = await leads.client()
    (chief,) = await hire(leads, "NV001")
    nam, hoa = await hire(leads, "NV012", "NV013", superior=chief)
    await pool(boss, [nam])
    mine = await post(boss, "0912345678", name="Lan")
    sees = {"leads.read"}
    own = await leads.client(*sees, account_id=nam.id, code="NV012")
    other = await leads.client(*sees, account_id=hoa.id, code="NV013")
    above = await leads.client(*sees, account_id=chief.id, code="NV001")

    for asked in ({}, {"phone": "678"}, {"q": "lan"}, {"owner_id": str(nam.id)}, {"main_level": "L1"}):
        assert await ids(own, **asked) == [mine["id"]]
        assert await ids(above, **asked) == [mine["id"]]
        assert await ids(other, **asked) == []
        assert (await other.get("/v1/leads/count", params=asked)).json()["count"] == 0


async def test_counts_are_bounded_and_read_as_people_write_them(leads: Running) -> None:
    client = await leads.client()
    for place in range(3):
        await post(client, f"091234567{place}")
    assert (await client.get("/v1/leads/count")).json() == {"count": 3, "more": False, "text": "3"}

    async with leads.db.read() as session:
        everything = Viewer(everything=True, unassigned=True, people=(), codes=())
        assert await query.count(session, everything, LeadFilters(), most=2) == 3


async def test_bad_filters_are_named(leads: Running) -> None:
    client = await leads.client()
    assert (await refused(client, after="abc"))["title"] == "cursor-unreadable"
    assert (await refused(client, colour="red"))["errors"][0]["field"] == "query.colour"
    assert (await refused(client, received_from="2026-11-21T00:00:00"))["errors"][0]["code"] == "timezone_aware"
    assert (await refused(client, received_to="9999-12-31T23:59:59-12:00"))["errors"][0]["code"] == "outside_years"
    assert (await refused(client, channel="fax"))["errors"][0]["field"] == "query.channel.0"
    assert (await refused(client, tag_any="x"))["errors"][0]["code"] == "uuid_parsing"
    await post(client, "0912345678")
    await post(client, "0912345679")
    page = (await client.get("/v1/leads", params={"limit": 1})).json()
    assert (await refused(client, after=page["next"], order="oldest"))["title"] == "cursor-unreadable"
