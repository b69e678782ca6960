"""What is no lead yet: found in the raw inbox, corrected, dismissed, or read again in bulk."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from services.leads import events
from services.leads.inbox import replays
from services.leads.inbox.replays import Replayer
from services.leads.sources import Sources
from tests.harness import Running
from tests.integration.leads.company import NOW, hire, owner_of, pool
from tests.integration.leads.imports_support import all_rows, upload, work, workbook

RANGE = {"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}


async def rejected(client: httpx.AsyncClient, phone: str, **fields: Any) -> str:
    """Sends what is no number; returns the id of its raw item."""
    answer = await client.post("/v1/leads", json={"phone": phone, **fields})
    assert answer.status_code == 422, answer.text
    return str(answer.json()["raw_item_id"])


async def page_with_hook(admin: httpx.AsyncClient, **fields: Any) -> tuple[dict[str, Any], str]:
    made = (await admin.post("/v1/landing-pages", json={"name": "serum", "marketer": "MKT01", **fields})).json()
    hook = (await admin.post(f"/v1/landing-pages/{made['id']}/key")).json()["path"]
    return made, hook


async def change_page(admin: httpx.AsyncClient, page: dict[str, Any], **fields: Any) -> None:
    url = f"/v1/landing-pages/{page['id']}"
    seen = await admin.get(url)
    changed = await admin.put(url, json={"name": "serum", **fields}, headers={"If-Match": seen.headers["etag"]})
    assert changed.status_code == 200, changed.text


def replayer(leads: Running) -> Replayer:
    return Replayer(leads.db, sources=Sources(leads.db), window=timedelta(days=7))


async def today(leads: Running) -> dict[str, str]:
    """A range with everything that arrived."""
    (row,) = await leads.rows("SELECT min(received_at) AS since, max(received_at) AS until FROM raw_items")
    return {"since": row.since.isoformat(), "until": (row.until + timedelta(microseconds=1)).isoformat()}


async def test_a_corrected_item_becomes_a_lead_as_of_its_arrival_under_its_own_id(leads: Running) -> None:
    admin = await leads.client(code="QL01")
    (sale,) = await hire(leads, "NV01")
    await pool(admin, [sale])
    marketer = await leads.client("leads.create", code="MKT07", department="marketing")
    item = await rejected(marketer, "091234567", name="Lan", note="gấp")

    answer = await admin.post(f"/v1/raw-items/{item}/correct", json={"phone": "0912345678", "reason": "gọi Zalo"})

    assert (answer.status_code, answer.json()["id"], answer.json()["verdict"]) == (200, item, "lead")
    (raw,) = await leads.rows("SELECT received_at, body, verdict, reason FROM raw_items")
    (event,) = await leads.outbox("leads.lead.accepted.v1")
    data = event["payload"]
    assert (data["phone"], data["name"], data["note"]) == ("+84912345678", "Lan", "gấp")
    assert (data["source"]["marketer"], data["source"]["channel"]) == ("MKT07", "manual")
    (lead,) = await leads.rows("SELECT received_at FROM leads")
    assert lead.received_at == raw.received_at
    assert (raw.verdict, raw.reason, b"091234567" in bytes(raw.body)) == ("lead", "", True)
    assert await owner_of(admin, {"id": item}) == "NV01"
    (done,) = (await admin.get(f"/v1/raw-items/{item}")).json()["corrections"]
    assert (done["by"], done["kind"], done["was"], done["reason"]) == (
        "QL01",
        "corrected",
        "phone_missing_digits",
        "gọi Zalo",
    )
    assert (done["before"], done["after"]) == ({"phone": "091234567"}, {"phone": "0912345678"})


async def test_a_correction_to_a_number_that_is_known_makes_a_duplicate(leads: Running) -> None:
    admin = await leads.client()
    item = await rejected(admin, "091234567")
    first = (await admin.post("/v1/leads", json={"phone": "0912345678"})).json()

    answer = await admin.post(f"/v1/raw-items/{item}/correct", json={"phone": "0912 345 678", "reason": "x"})

    assert (answer.json()["verdict"], answer.json()["anchor_id"]) == ("duplicate", first["id"])


async def test_a_correction_that_is_still_no_number_changes_nothing(leads: Running) -> None:
    admin = await leads.client()
    item = await rejected(admin, "091234567")

    answer = await admin.post(f"/v1/raw-items/{item}/correct", json={"phone": "09123", "reason": "x"})

    assert (answer.status_code, answer.json()["code"]) == (422, "phone_missing_digits")
    shown = (await admin.get(f"/v1/raw-items/{item}")).json()
    assert (shown["verdict"], shown["fields"], shown["corrections"]) == ("rejected", {"phone": "091234567"}, [])


async def test_many_corrections_at_once_make_one_lead(leads: Running) -> None:
    admin = await leads.client()
    item = await rejected(admin, "091234567")

    async def send(key: str | None) -> httpx.Response:
        return await admin.post(
            f"/v1/raw-items/{item}/correct",
            json={"phone": "0912345678", "reason": "x"},
            headers={"Idempotency-Key": key} if key else {},
        )

    answers = await asyncio.gather(*(send("k") for _ in range(5)), *(send(None) for _ in range(5)))

    told = Counter(answer.status_code for answer in answers)
    assert told in ({200: 5, 409: 5}, {200: 1, 409: 9})
    assert {answer.json()["title"] for answer in answers if answer.status_code == 409} == {"raw-item-settled"}
    assert len(await leads.rows("SELECT 1 FROM leads")) == 1
    assert len(await leads.outbox("leads.lead.accepted.v1")) == 1


async def test_a_dismissed_item_leaves_the_rejected_and_can_still_be_corrected(leads: Running) -> None:
    admin = await leads.client()
    item, other = await rejected(admin, "test"), await rejected(admin, "091234567")

    dismissed = await admin.post(f"/v1/raw-items/{item}/dismiss", json={"reason": "gửi thử"})

    assert dismissed.status_code == 204
    listed = (await admin.get("/v1/raw-items", params={"verdict": "rejected"})).json()["items"]
    assert [one["id"] for one in listed] == [other]
    (gone,) = (await admin.get("/v1/raw-items", params={"verdict": "dismissed"})).json()["items"]
    assert gone["id"] == item
    late = await admin.post(f"/v1/raw-items/{item}/correct", json={"phone": "0912345678", "reason": "khách thật"})
    again = await admin.post(f"/v1/raw-items/{item}/dismiss", json={"reason": "x"})
    assert (late.json()["verdict"], again.json()["title"]) == ("lead", "raw-item-settled")


async def test_settling_needs_its_permission_and_sight_of_the_item(leads: Running) -> None:
    admin = await leads.client()
    item = await rejected(admin, "091234567")
    body = {"phone": "0912345678", "reason": "x"}
    reader = await leads.client("leads.read", "leads.create")
    stranger = await leads.client("leads.read", "leads.correct", code="MKT09")

    assert (await reader.post(f"/v1/raw-items/{item}/correct", json=body)).status_code == 403
    assert (await stranger.post(f"/v1/raw-items/{item}/correct", json=body)).status_code == 404
    assert (await stranger.get(f"/v1/raw-items/{item}")).status_code == 404
    assert (await stranger.post("/v1/raw-items/replays", json=RANGE)).status_code == 403


async def test_a_marketer_sees_what_their_page_could_not_read(leads: Running) -> None:
    admin = await leads.client()
    _, hook = await page_with_hook(admin)
    await (await leads.anonymous()).post(hook, json={"name": "Lan", "dt": "0912345678"})
    await rejected(admin, "091234567")

    marketer = await leads.client("leads.read", code="MKT01")
    listed = (await marketer.get("/v1/raw-items")).json()["items"]

    assert [(one["channel"], one["reason"], one["fields"]) for one in listed] == [
        ("landing_page", "phone_field_missing", {"name": "Lan"})
    ]
    assert listed[0]["body"] is None


async def test_the_inbox_is_narrowed_by_everything_an_item_has(leads: Running) -> None:
    admin = await leads.client()
    page, hook = await page_with_hook(admin)
    short = await rejected(admin, "091234567")
    lead = (await admin.post("/v1/leads", json={"phone": "0987654321", "other_phone": "0912000111"})).json()["id"]
    form = (await (await leads.anonymous()).post(hook, json={"phone": "1900 1234"})).json()["id"]

    async def found(**filters: Any) -> list[str]:
        answer = await admin.get("/v1/raw-items", params=filters)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    assert await found() == [form, lead, short]
    assert await found(reason="phone_hotline") == [form]
    assert await found(source_id=page["id"], verdict="rejected") == [form]
    assert await found(channel="manual") == [lead, short]
    assert await found(phone="+84 91234567") == [short]
    assert await found(phone="1234567") == [short]
    assert await found(phone="84987654321") == [lead]
    assert await found(phone="0912.000.111") == [lead]
    assert await found(since=NOW.replace(year=2020).isoformat(), until=NOW.replace(year=2021).isoformat()) == []
    assert await found(limit=2) == [form, lead]
    assert await found(limit=2, after=lead) == [short]


async def test_numbers_in_what_was_read_are_masked_for_who_may_not_reveal_them(leads: Running) -> None:
    admin = await leads.client()
    await rejected(admin, "0912345678999")
    reader = await leads.client("leads.read", "visibility.all")

    (shown,) = (await reader.get("/v1/raw-items")).json()["items"]

    assert shown["fields"] == {"phone": "0912******999"}


async def test_a_replay_reads_forms_by_the_map_of_today_and_touches_nothing_else(leads: Running) -> None:
    admin = await leads.client()
    page, hook = await page_with_hook(admin, consent_text="Đồng ý")
    visitor = await leads.anonymous()
    forms = [{"item_7": f"09123456{place:02}", "name": f"Khách {place}"} for place in range(6)]
    ids = [(await visitor.post(hook, json=form)).json()["id"] for form in [*forms, {**forms[0], "name": "Lan"}]]
    known = (await admin.post("/v1/leads", json={"phone": "0912345605"})).json()["id"]
    garbage = (await visitor.post(hook, content=b"\xff\x00")).json()["id"]
    await change_page(admin, page, field_map={"item_7": "phone"}, marketer="MKT99")
    body = await today(leads)

    dry = (await admin.post("/v1/raw-items/replays", json={**body, "source_id": page["id"]})).json()
    assert await replayer(leads).step()
    foreseen = (await admin.get(f"/v1/raw-items/replays/{dry['id']}")).json()
    assert await leads.rows("SELECT 1 FROM leads WHERE id <> :known", known=known) == []
    wet = (await admin.post("/v1/raw-items/replays", json={**body, "dry_run": False})).json()
    assert await replayer(leads).step()
    done = (await admin.get(f"/v1/raw-items/replays/{wet['id']}")).json()

    counts = ("state", "total", "read", "leads", "duplicates", "rejected")
    assert [done[name] for name in counts] == ["done", 8, 8, 5, 2, {"body_unreadable": 1}]
    assert [foreseen[name] for name in counts] == [done[name] for name in counts]
    rows = {str(row.id): row for row in await leads.rows("SELECT id, verdict, marketer, name FROM leads")}
    assert Counter(rows[one].verdict for one in ids) == {"lead": 5, "duplicate": 2}
    assert {rows[one].marketer for one in ids} == {"MKT01"}, "credited as at arrival"
    assert garbage not in rows
    assert len(await leads.outbox("leads.lead.accepted.v1")) == 6

    again = (await admin.post("/v1/raw-items/replays", json={**body, "dry_run": False})).json()
    assert await replayer(leads).step()
    repeated = (await admin.get(f"/v1/raw-items/replays/{again['id']}")).json()
    assert (repeated["total"], repeated["leads"], repeated["duplicates"]) == (1, 0, 0)


async def test_a_replay_that_dies_is_gone_on_with_and_doubles_nothing(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "BATCH", 3)
    monkeypatch.setattr(replays, "LEASE", 0.0)
    admin = await leads.client()
    page, hook = await page_with_hook(admin)
    visitor = await leads.anonymous()
    for place in range(20):
        await visitor.post(hook, json={"item_7": f"09123456{place:02}"})
    await change_page(admin, page, field_map={"item_7": "phone"})
    body = {**await today(leads), "dry_run": False}
    replay = (await admin.post("/v1/raw-items/replays", json=body)).json()

    class Died(Exception):
        pass

    done = 0

    async def advance(*arguments: Any) -> None:
        nonlocal done
        done += 1
        if done % 2 == 0:
            raise Died  # after the leads were written, before the commit
        await advanced(*arguments)

    advanced = Replayer._advance
    monkeypatch.setattr(Replayer, "_advance", advance)
    deaths = 0
    while True:
        try:
            if not await replayer(leads).step():
                break
        except Died:
            deaths += 1

    assert deaths > 2
    shown = (await admin.get(f"/v1/raw-items/replays/{replay['id']}")).json()
    assert (shown["state"], shown["read"], shown["leads"]) == ("done", 20, 20)
    assert len(await leads.outbox("leads.lead.accepted.v1")) == 20
    assert len(await leads.rows("SELECT 1 FROM raw_corrections")) == 20


async def test_corrections_and_replays_of_the_same_items_at_once_settle_each_once(leads: Running) -> None:
    admin = await leads.client()
    page, hook = await page_with_hook(admin)
    visitor = await leads.anonymous()
    items = [(await visitor.post(hook, json={"item_7": f"09123456{n:02}"})).json()["id"] for n in range(20)]
    await change_page(admin, page, field_map={"item_7": "phone"})
    body = {**await today(leads), "dry_run": False}
    for _ in range(3):
        await admin.post("/v1/raw-items/replays", json=body)

    corrections = (
        admin.post(f"/v1/raw-items/{item}/correct", json={"phone": f"09123456{n:02}", "reason": "x"})
        for n, item in enumerate(items)
    )
    answers = await asyncio.gather(*corrections, *(replayer(leads).step() for _ in range(3)))

    assert {answer.status_code for answer in answers[:20]} <= {200, 409}
    assert len(await leads.rows("SELECT 1 FROM leads")) == 20
    assert len(await leads.outbox("leads.lead.accepted.v1")) == 20
    assert len(await leads.rows("SELECT 1 FROM raw_corrections")) == 20


async def test_a_cancelled_replay_stops(leads: Running) -> None:
    admin = await leads.client()
    await rejected(admin, "091234567")
    replay = (await admin.post("/v1/raw-items/replays", json={**await today(leads), "dry_run": False})).json()

    cancelled = (await admin.post(f"/v1/raw-items/replays/{replay['id']}/cancel")).json()

    assert cancelled["state"] == "cancelled"
    assert not await replayer(leads).step()
    wrong = await admin.post("/v1/raw-items/replays", json={"since": RANGE["until"], "until": RANGE["since"]})
    assert wrong.json()["title"] == "range-too-long"


async def test_rows_of_an_import_that_are_corrected_or_read_again_move_its_counters(leads: Running) -> None:
    admin = await leads.client()
    rows = [("0912345678", "Lan"), ("091234567", "Hoa"), ("x", "Hùng"), ("O912.345.67", "Tú")]
    made = (await upload(admin, workbook(rows))).json()
    await work(leads, made["id"])
    listed = (await admin.get("/v1/raw-items", params={"import_id": made["id"], "verdict": "rejected"})).json()["items"]
    by_row = {one["row"]: one for one in listed}

    hoa = by_row[3]["id"]
    fresh = await admin.post(f"/v1/raw-items/{hoa}/correct", json={"phone": "0987654321", "reason": "gọi lại"})
    tu = by_row[5]["id"]
    again = await admin.post(f"/v1/raw-items/{tu}/correct", json={"phone": "0912345678", "reason": "thiếu số 8"})

    assert [fresh.json()["verdict"], again.json()["verdict"]] == ["lead", "duplicate"]
    done = (await admin.get(f"/v1/imports/{made['id']}")).json()
    assert (done["leads"], done["duplicates"], done["rejected"]) == (2, 1, 1)
    assert by_row[4]["message"].startswith("Dòng 4, cột “Số điện thoại”: ")
    verdicts = {row["row"]: row["verdict"] for row in await all_rows(admin, made["id"])}
    assert verdicts == {2: "lead", 3: "lead", 4: "rejected", 5: "duplicate"}
    replay = (await admin.post("/v1/raw-items/replays", json={**await today(leads), "dry_run": False})).json()
    assert await replayer(leads).step()
    assert (await admin.get(f"/v1/raw-items/replays/{replay['id']}")).json()["rejected"] == {"phone_no_digits": 1}


async def test_an_item_that_breaks_us_stays_rejected_and_holds_no_replay_up(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await leads.client()
    page, hook = await page_with_hook(admin)
    visitor = await leads.anonymous()
    for n in range(5):
        await visitor.post(hook, json={"item_7": f"091234560{n}", "name": "poison" if n == 2 else "Lan"})
    await change_page(admin, page, field_map={"item_7": "phone"})
    replay = (await admin.post("/v1/raw-items/replays", json={**await today(leads), "dry_run": False})).json()
    original = events.accepted

    def accepted(items: Any, candidates: Any, *args: Any, **kwargs: Any) -> Any:
        if any(candidate.name == "poison" for candidate in candidates):
            raise ValueError("a mistake of ours")
        return original(items, candidates, *args, **kwargs)

    monkeypatch.setattr(events, "accepted", accepted)
    with capture_logs() as logged:
        assert await replayer(leads).step()

    done = (await admin.get(f"/v1/raw-items/replays/{replay['id']}")).json()
    assert (done["state"], done["leads"], done["rejected"]) == ("done", 4, {"phone_field_missing": 1})
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == [
        "raw item could not be taken in again"
    ]
    (left,) = (await admin.get("/v1/raw-items", params={"verdict": "rejected"})).json()["items"]
    assert left["fields"] == {"name": "poison"}
