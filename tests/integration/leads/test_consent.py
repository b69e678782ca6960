"""Consent, the do-not-call list, and lists that come as files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import httpx
from openpyxl import Workbook
from sqlalchemy import text

from services.leads.consent.acts import Act, standing
from services.leads.consent.list_work import ListWorker
from services.leads.consent.lists import read_rows
from services.leads.state import parts_of
from tests.harness import Running, eventually
from tests.integration.leads.company import post
from tests.integration.leads.test_everyday import move
from tests.integration.leads.test_landing_pages import landing_page
from tests.integration.leads.test_waiting import upkeep

NOW = datetime.now(UTC)


async def consents(client: httpx.AsyncClient, phone: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/consents/{phone}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def put_on_list(client: httpx.AsyncClient, *phones: str, **fields: Any) -> None:
    body = {"phones": list(phones), "reason": "khiếu nại 21/11", **fields}
    answer = await client.post("/v1/do-not-call", json=body)
    assert answer.status_code == 201, answer.text


async def upload(client: httpx.AsyncClient, content: bytes, name: str = "list.txt", **fields: Any) -> httpx.Response:
    return await client.post(
        "/v1/do-not-call/imports",
        files={"file": (name, content)},
        data={"reason": "Danh sách của Cục, 11/2026", **fields},
    )


async def worked_off(leads: Running, client: httpx.AsyncClient, made: httpx.Response) -> dict[str, Any]:
    worker = ListWorker(leads.db, arrived=parts_of(leads.runtime).listed)

    async def done() -> dict[str, Any] | None:
        await worker.step()
        state: dict[str, Any] = (await client.get(f"/v1/do-not-call/imports/{made.json()['id']}")).json()
        return state if state["state"] in ("done", "failed") else None

    found = await eventually(done)
    assert found is not None
    return found


def workbook(rows: Sequence[Sequence[Any]]) -> bytes:
    book, out = Workbook(), BytesIO()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


async def test_who_leaves_a_number_consents_with_time_page_and_wording(leads: Running) -> None:
    client = await leads.client()
    _, hook = await landing_page(client, consent_text="Tôi đồng ý được gọi tư vấn.")
    visitor = await leads.anonymous()
    sent = await visitor.post(hook, json={"phone": "0912345678", "link": "https://serum.example/a"})
    assert sent.status_code == 200, sent.text

    kept = await consents(client, "0912 345 678")

    (act,) = kept["acts"]
    assert (act["purpose"], act["act"], act["how"], act["channel"]) == (
        "requested_call",
        "given",
        "left_number",
        "landing_page",
    )
    assert (act["text"], act["page"]) == ("Tôi đồng ý được gọi tư vấn.", "https://serum.example/a")
    assert {one["purpose"]: one["state"] for one in kept["standing"]} == {
        "requested_call": "given",
        "advertising_call": "none",
        "message": "none",
    }


async def test_one_wording_is_kept_once_for_all_its_leads(leads: Running) -> None:
    client = await leads.client()
    source = (
        await client.post("/v1/sources", json={"name": "Hội chợ", "channel": "event", "consent_text": "Đồng ý gọi."})
    ).json()
    for place in range(3):
        await post(client, f"091234567{place}", source_id=source["id"])

    assert [row.text for row in await leads.rows("SELECT text FROM consent_texts")] == ["Đồng ý gọi."]
    assert (await consents(client, "0912345672"))["acts"][0]["text"] == "Đồng ý gọi."


async def test_refusal_ends_consent_and_lists_every_number_and_undoing_it_takes_it_back(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678", other_phone="0987654321")

    await move(leads, lead, 2, "L1.3", actor="NV012")

    for phone in ("0912345678", "0987654321"):
        kept = await consents(client, phone)
        assert {one["state"] for one in kept["standing"]} == {"withdrawn"}
        (entry,) = kept["do_not_call"]
        assert (entry["source"], entry["kind"], entry["lead_id"]) == ("customer", "all", lead["id"])
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is True
    told = [event["payload"] for event in await leads.outbox("leads.do_not_call.changed.v1")]
    assert {one["phone"] for one in told} == {"+84912345678", "+84987654321"}
    assert all(one["entries"][0]["source"] == "customer" for one in told)

    await move(leads, lead, 3, "L1", was="L1.3", cause="undo")

    assert (await consents(client, "0912345678"))["do_not_call"] == []
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False
    last = (await leads.outbox("leads.do_not_call.changed.v1"))[-1]["payload"]
    assert last["entries"] == []
    assert last["version"] > max(one["version"] for one in told)


async def test_an_order_that_care_ended_because_of_the_list_is_no_refusal(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")

    await move(leads, lead, 2, "L1.3", cause="care")

    kept = await consents(client, "0912345678")
    assert (kept["do_not_call"], kept["standing"][0]["state"]) == ([], "given")


async def test_an_undo_that_is_told_before_its_refusal_leaves_nothing_listed(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")

    await move(leads, lead, 3, "L1", was="L1.3", cause="undo")
    await move(leads, lead, 2, "L1.3")

    assert (await consents(client, "0912345678"))["do_not_call"] == []


async def test_a_listed_number_is_taken_in_with_a_warning_and_told_with_the_lead(leads: Running) -> None:
    client = await leads.client()
    await put_on_list(client, "0912 345 678", "0987654321", kind="calls", source="authority")
    await put_on_list(client, "0900000001", kind="messages")
    assert await leads.outbox("leads.do_not_call.changed.v1") == []  # nobody knows these numbers yet

    lead, quiet = await post(client, "0912345678"), await post(client, "0900000001")

    assert (lead["verdict"], quiet["verdict"]) == ("lead", "lead")
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is True
    assert (await client.get(f"/v1/leads/{quiet['id']}")).json()["do_not_call"] is False
    listed = (await client.get("/v1/leads", params={"do_not_call": True})).json()["items"]
    assert [item["id"] for item in listed] == [lead["id"]]
    (event, _) = await leads.outbox("leads.lead.accepted.v1")
    (told,) = event["payload"]["do_not_call"]
    assert (told["phone"], told["entries"][0]["source"]) == ("+84912345678", "authority")


async def test_each_source_takes_back_only_its_own_word_and_every_change_is_kept(leads: Running) -> None:
    client = await leads.client(code="NV001")
    lead = await post(client, "0912345678")
    await put_on_list(client, "0912345678", kind="calls", source="complaint")
    await put_on_list(client, "0912345678", kind="messages", source="authority")

    async def remove(source: str) -> httpx.Response:
        body = {"phone": "+84912345678", "source": source, "reason": "đã giải quyết"}
        return await client.post("/v1/do-not-call/remove", json=body)

    assert (await remove("complaint")).status_code == 200
    assert (await remove("complaint")).json()["title"] == "not-on-do-not-call-list"

    kept = await consents(client, "0912345678")
    assert [entry["source"] for entry in kept["do_not_call"]] == ["authority"]
    assert [(one["source"], one["act"], one["by"]) for one in kept["do_not_call_changes"]] == [
        ("complaint", "added", "NV001"),
        ("authority", "added", "NV001"),
        ("complaint", "removed", "NV001"),
    ]
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False
    told = [event["payload"] for event in await leads.outbox("leads.do_not_call.changed.v1")]
    assert [[entry["source"] for entry in one["entries"]] for one in told] == [
        ["complaint"],
        ["authority", "complaint"],
        ["authority"],
    ]
    assert [one["version"] for one in told] == sorted(one["version"] for one in told)


async def test_numbers_are_checked_many_at_once(leads: Running) -> None:
    client = await leads.client()
    await put_on_list(client, "0912345678", kind="calls")
    await put_on_list(client, "0912345679", kind="all", until=(NOW + timedelta(days=1)).isoformat())
    async with leads.db.transaction() as session:
        await session.execute(
            text("UPDATE do_not_call SET until = now() - interval '1 s' WHERE phone = '+84912345679'")
        )

    asked = {"phones": ["0912 345 678", "0912345679", "0900000001", "abc"]}
    items = (await client.post("/v1/do-not-call/check", json=asked)).json()["items"]

    assert [(one["readable"], one["calls"], one["messages"], one["sources"]) for one in items] == [
        (True, False, True, ["customer"]),
        (True, True, True, []),
        (True, True, True, []),
        (False, True, True, []),
    ]


async def test_an_entry_that_ends_by_itself_takes_the_mark_off_its_leads_and_is_told(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    await put_on_list(client, "0912345678", kind="all", until=(NOW + timedelta(days=1)).isoformat())
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is True
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE do_not_call SET until = now() - interval '1 s'"))

    for _ in range(2):
        await upkeep(leads).step()

    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False
    told = [event["payload"] for event in await leads.outbox("leads.do_not_call.changed.v1")]
    assert [len(fact["entries"]) for fact in told] == [1, 0]
    await put_on_list(client, "0912345678", kind="all", until=(NOW + timedelta(days=1)).isoformat())
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is True
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE do_not_call SET until = now() - interval '1 s'"))
    await upkeep(leads).step()
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False, "prolonged, and over again"


async def test_the_list_has_pages_and_filters(leads: Running) -> None:
    client = await leads.client()
    await put_on_list(client, *(f"091234567{place}" for place in range(5)), source="authority")
    await put_on_list(client, "0987654321", kind="calls")
    seen, after = [], None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        page = (await client.get("/v1/do-not-call", params=query)).json()
        seen += [item["phone"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ["0987***321", *(f"0912***67{place}" for place in range(4, -1, -1))]
    only = (await client.get("/v1/do-not-call", params={"kind": "calls"})).json()["items"]
    assert [item["phone"] for item in only] == ["0987***321"]
    one = (await client.get("/v1/do-not-call", params={"phone": "0912.345.672", "source": "authority"})).json()["items"]
    assert [item["phone"] for item in one] == ["0912***672"]


async def test_a_list_as_text_is_put_on_the_list_with_a_verdict_for_each_row(leads: Running) -> None:
    client = await leads.client(code="NV001")
    known = await post(client, "0912345678")
    await put_on_list(client, "0900000009", source="authority")
    content = "\ufeff0912345678\r\n+84 912 345 679\r\n\r\n0900000009\r\n84912345678\r\nkhông có số\r\n024 3825 1234\r\n"

    made = await upload(client, content.encode())
    assert made.status_code == 201, made.text
    done = await worked_off(leads, client, made)

    counts = {name: done[name] for name in ("state", "row_count", "added", "known", "repeated", "rejected", "removed")}
    assert counts == {
        "state": "done",
        "row_count": 6,
        "added": 3,
        "known": 1,
        "repeated": 1,
        "rejected": 1,
        "removed": 0,
    }
    wrong = (await client.get(f"/v1/do-not-call/imports/{done['id']}/rejected")).json()["items"]
    assert [(row["row"], row["typed"]) for row in wrong] == [(6, "không có số")]
    assert wrong[0]["message"]
    told = [event["payload"]["phone"] for event in await leads.outbox("leads.do_not_call.changed.v1")]
    assert told == ["+84912345678"]  # the only one that came as a lead
    assert (await client.get(f"/v1/leads/{known['id']}")).json()["do_not_call"] is True
    again = await upload(client, content.encode())
    assert (again.status_code, again.json()["id"]) == (200, done["id"])


async def test_a_list_that_replaces_takes_off_what_files_of_its_source_brought_and_nothing_else(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345671")
    first = workbook([["STT", "Số điện thoại"], [1, "0912345670"], [2, "0912345671"], [3, ""], [4, "0912345672"]])
    done = await worked_off(leads, client, await upload(client, first, "dnc.xlsx"))
    assert (done["row_count"], done["added"], done["rejected"]) == (4, 3, 1)
    await put_on_list(client, "0912345679", source="authority")
    await put_on_list(client, "0912345670", source="customer")

    second = await upload(client, b"0912345672\n0912345673\n", mode="replace")
    done = await worked_off(leads, client, second)

    assert (done["added"], done["known"], done["removed"]) == (1, 1, 2)
    rows = await leads.rows("SELECT phone, source FROM do_not_call ORDER BY phone, source")
    assert [(row.phone[-1], row.source) for row in rows] == [
        ("0", "customer"),
        ("2", "authority"),
        ("3", "authority"),
        ("9", "authority"),
    ]
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False
    assert [len(event["payload"]["entries"]) for event in await leads.outbox("leads.do_not_call.changed.v1")] == [1, 0]


async def test_a_list_goes_on_behind_its_last_committed_chunk_when_a_process_died_over_it(leads: Running) -> None:
    client = await leads.client()
    numbers = [f"09{place:08}" for place in range(10_000_000, 10_012_000)]
    made = await upload(client, "\n".join(numbers).encode())
    worker = ListWorker(leads.db, arrived=parts_of(leads.runtime).listed)
    pool = await leads.db.driver()
    import_id = await pool.fetchval("SELECT id FROM do_not_call_imports")
    await worker._advance(import_id)  # one chunk, then the process is gone with its lease
    await pool.execute("UPDATE do_not_call_imports SET lease_until = now() + interval '15 s'")
    assert await worker.step() is False  # held by the dead one
    await pool.execute("UPDATE do_not_call_imports SET lease_until = now()")

    done = await worked_off(leads, client, made)

    assert (done["rows_done"], done["added"], done["repeated"]) == (12_000, 12_000, 0)
    assert (await leads.rows("SELECT count(*) AS n FROM do_not_call"))[0].n == 12_000
    assert (await leads.rows("SELECT count(*) AS n FROM do_not_call_files"))[0].n == 0


async def test_a_list_that_failed_goes_on_when_it_is_sent_again(leads: Running) -> None:
    client = await leads.client()
    made = await upload(client, b"0912345678\n")
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE do_not_call_imports SET state = 'failed'"))

    again = await upload(client, b"0912345678\n")
    done = await worked_off(leads, client, again)

    assert (again.json()["id"], done["state"], done["added"]) == (made.json()["id"], "done", 1)


async def test_what_is_no_list_is_refused_by_name(leads: Running) -> None:
    client = await leads.client()
    for content, title in (
        (b"", "list-empty"),
        (b"\xff\xfe\x00a", "list-unreadable"),
        (b"\n \n", "list-empty"),
        (workbook([["Tên"], ["Lan"]]), "workbook-phone-column-missing"),
    ):
        answer = await upload(client, content)
        assert (answer.status_code, answer.json()["title"]) == (422, title)
    assert (await upload(client, b"0912345678", mode="burn")).json()["title"] == "invalid"
    assert (await upload(client, b"0912345678", source="customer")).json()["title"] == "invalid"
    assert (await upload(client, b"0912345678", reason="x")).json()["title"] == "invalid"
    unreadable = await client.post("/v1/do-not-call", json={"phones": ["0912345678", "12"], "reason": "khiếu nại"})
    assert (unreadable.json()["title"], unreadable.json()["unreadable"][0]["place"]) == ("numbers-unreadable", 1)
    past = {"phones": ["0912345678"], "reason": "khiếu nại", "until": "2020-01-01T00:00:00Z"}
    assert (await client.post("/v1/do-not-call", json=past)).status_code == 422
    assert (await client.get("/v1/consents/abc")).json()["title"] == "phone-filter-unreadable"
    assert (await client.get("/v1/do-not-call", params={"after": "x"})).json()["title"] == "cursor-unreadable"
    assert await leads.rows("SELECT 1 FROM do_not_call") == []
    sale = await leads.client("leads.read", "leads.edit")
    assert (await sale.get("/v1/consents/0912345678")).status_code == 403
    assert (await sale.get("/v1/do-not-call")).status_code == 403


async def test_consent_is_recorded_and_withdrawn_and_the_last_word_holds(leads: Running) -> None:
    client = await leads.client(code="NV001")
    body = {"phone": "0912 345 678", "purposes": ["advertising_call", "message"], "how": "nói qua điện thoại"}
    given = await client.post("/v1/consents", json={**body, "act": "given", "text": "Đồng ý nhận tin"})
    assert given.status_code == 201, given.text
    taken = await client.post("/v1/consents", json={**body, "act": "withdrawn", "purposes": ["message"]})

    assert {one["purpose"]: one["state"] for one in taken.json()["standing"]} == {
        "requested_call": "none",
        "advertising_call": "given",
        "message": "withdrawn",
    }
    assert [(one["purpose"], one["act"], one["by"]) for one in taken.json()["acts"]] == [
        ("advertising_call", "given", "NV001"),
        ("message", "given", "NV001"),
        ("message", "withdrawn", "NV001"),
    ]
    told = [event["payload"] for event in await leads.outbox("leads.consent.recorded.v1")]
    assert [(one["phone"], one["purpose"], one["act"], one["text"]) for one in told] == [
        ("+84912345678", "advertising_call", "given", "Đồng ý nhận tin"),
        ("+84912345678", "message", "given", "Đồng ý nhận tin"),
        ("+84912345678", "message", "withdrawn", ""),
    ]
    later = (NOW + timedelta(days=1)).isoformat()
    assert (await client.post("/v1/consents", json={**body, "act": "given", "at": later})).status_code == 422


def test_what_was_asked_for_ends_thirty_days_after_care_and_is_given_anew_by_asking_again() -> None:
    asked = Act(
        "requested_call", "given", NOW - timedelta(days=90), "left_number", care_ended_at=NOW - timedelta(days=30)
    )
    assert [one.state for one in standing([asked], now=NOW)] == ["ended", "none", "none"]
    assert standing([asked], now=NOW - timedelta(seconds=1))[0].state == "given"
    again = Act("requested_call", "given", NOW - timedelta(days=1), "left_number")
    refused = Act("requested_call", "withdrawn", NOW - timedelta(days=2), "refusal")
    assert standing([again, refused, asked], now=NOW)[0].state == "given"
    assert standing([refused, asked], now=NOW)[0].state == "withdrawn"


def test_rows_of_a_list_are_read_as_intake_reads_them() -> None:
    read = read_rows("1\t0912345678\n2\t+84912345678\n3\t0912345678 / 0987654321\n4\t12\n5\t0168 234 5678")
    assert read.phones == ["+84912345678", "+84987654321", "+84382345678"]
    assert read.repeated == 1
    assert [row[0] for row in read.rejected] == [4]
