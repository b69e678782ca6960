"""Files of numbers that must not be called: a verdict for each row, gone on with behind the last committed one."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import httpx
from openpyxl import Workbook
from sqlalchemy import text

from services.leads.consent.list_work import ListWorker
from services.leads.consent.lists import read_rows
from services.leads.state import parts_of
from tests.harness import Running, eventually
from tests.integration.leads.company import post, put_on_list


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


async def test_a_file_that_was_replaced_by_mistake_is_in_force_again_when_it_is_sent_again(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345671")
    right, wrong = b"0912345670\n0912345671\nx\n", b"0912345672\n"
    first = await worked_off(leads, client, await upload(client, right, mode="replace"))
    await worked_off(leads, client, await upload(client, wrong, mode="replace"))
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is False

    again = await upload(client, right, mode="replace")
    done = await worked_off(leads, client, again)
    once_more = await upload(client, right, mode="replace")

    assert (again.status_code, done["id"], done["state"]) == (201, first["id"], "done")
    assert [done[name] for name in ("row_count", "added", "rejected", "removed")] == [3, 2, 1, 1]
    rows = await leads.rows("SELECT phone FROM do_not_call ORDER BY phone")
    assert [row.phone[-1] for row in rows] == ["0", "1"]
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["do_not_call"] is True
    assert (once_more.status_code, once_more.json()["state"]) == (200, "done"), "it is in force"


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


def test_rows_of_a_list_are_read_as_intake_reads_them() -> None:
    read = read_rows("1\t0912345678\n2\t+84912345678\n3\t0912345678 / 0987654321\n4\t12\n5\t0168 234 5678")
    assert read.phones == ["+84912345678", "+84987654321", "+84382345678"]
    assert read.repeated == 1
    assert [row[0] for row in read.rejected] == [4]
