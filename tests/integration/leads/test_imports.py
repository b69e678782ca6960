"""Workbooks: every row gets its verdict, once, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from openpyxl import load_workbook
from structlog.testing import capture_logs

from services.leads import events
from services.leads.imports import receive, store
from tests.harness import Running, eventually
from tests.integration.leads.company import hire
from tests.integration.leads.imports_support import all_rows, numbers, upload, work, workbook
from tests.unit.test_workbook_check import a_bomb, compound_file
from tests.unit.workbook_support import parts, text_cell, write_parts

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"


async def test_every_row_of_the_example_has_the_verdict_that_its_maker_expects(leads: Running) -> None:
    client = await leads.client()
    expected = json.loads((EXAMPLES / "leads.expected.json").read_text(encoding="utf-8"))
    made = (await upload(client, (EXAMPLES / "leads.xlsx").read_bytes(), "leads.xlsx")).json()

    await work(leads, made["id"])

    done = (await client.get(f"/v1/imports/{made['id']}")).json()
    assert (done["state"], done["rows_done"]) == ("done", 200)
    counts = {kind: expected[kind] for kind in ("leads", "duplicates", "rejected")}
    assert {kind: done[kind] for kind in counts} == counts
    verdicts = []
    for row in await all_rows(client, made["id"]):
        verdict = {"row": row["row"], "outcome": row["verdict"]}
        if row["verdict"] == "rejected":
            verdict["reason"] = row["reason"].removeprefix("phone_")
            assert row["message"].startswith(f"Dòng {row['row']}, cột “SĐT khách hàng”: ")
        else:
            (lead,) = await leads.rows("SELECT phone, other_phones FROM leads WHERE id = :id", id=row["lead_id"])
            verdict["phones"] = [lead.phone, *lead.other_phones]
        if row["verdict"] == "duplicate":
            verdict["duplicate_of_row"] = row["anchor_row"]
            assert row["message"] == f"Trùng số với dòng {row['anchor_row']}."
        verdicts.append(verdict)
    assert verdicts == expected["verdicts"]


async def test_leads_of_an_import_carry_what_the_list_says_of_them(leads: Running) -> None:
    client = await leads.client(code="MKT01", department="marketing")
    await client.post("/v1/sources", json={"name": "Hội chợ", "channel": "event", "marketer": "MKT09"})
    header = ("SĐT", "Tên", "Sản phẩm", "Nguồn", "Chiến dịch", "Ghi chú")
    rows = [
        ("0912345678", "Lan", "SERUM-30", "hội chợ", "", "đã mua"),
        ("0912345679", "Hoa", "", "TikTok", "tháng 11", ""),
    ]
    made = (await upload(client, workbook(rows, header), asked_to_be_called="true")).json()

    await work(leads, made["id"])

    first, second = [event["payload"] for event in await leads.outbox("leads.lead.accepted.v1")]
    assert (first["name"], first["product"], first["note"]) == ("Lan", "SERUM-30", "đã mua")
    assert (first["source"]["channel"], first["source"]["marketer"]) == ("event", "MKT09")
    assert (second["source"]["channel"], second["source"]["campaign"]) == ("excel", "tháng 11")
    assert (second["source"]["marketer"], second["asked_to_be_called"]) == ("MKT01", True)


async def test_whether_a_list_asked_to_be_called_is_its_senders_word_before_its_sources(leads: Running) -> None:
    client = await leads.client()
    fair = (await client.post("/v1/sources", json={"name": "Hội chợ", "channel": "event"})).json()
    assert fair["asked_to_be_called"] is True
    told: list[dict[str, str]] = [
        {"source_id": fair["id"]},
        {"source_id": fair["id"], "asked_to_be_called": "false"},
        {},
    ]
    for place, fields in enumerate(told):
        made = (await upload(client, workbook([(f"091234567{place}", "Lan")]), **fields)).json()
        await work(leads, made["id"])

    asked = [event["payload"]["asked_to_be_called"] for event in await leads.outbox("leads.lead.accepted.v1")]
    assert asked == [True, False, False]


async def test_the_same_file_is_refused_with_the_import_it_had(leads: Running) -> None:
    client = await leads.client()
    content = numbers(3)

    answers = await asyncio.gather(upload(client, content), upload(client, content, "ten-khac.xlsx"))
    first, twin = sorted(answers, key=lambda answer: answer.status_code)
    await work(leads, first.json()["id"])
    later = await upload(client, content)

    assert (first.status_code, twin.status_code, later.status_code) == (201, 409, 409)
    assert {answer.json()["title"] for answer in (twin, later)} == {"workbook-imported-before"}
    assert {answer.json()["import_id"] for answer in (twin, later)} == {first.json()["id"]}
    assert "only_new=true" in later.json()["detail"]
    assert len(await leads.rows("SELECT 1 FROM leads")) == 3


async def test_turns_that_end_in_the_middle_again_and_again_have_every_row_once(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "PAGE_ROWS", 300)
    client = await leads.client()
    made = (await upload(client, numbers(6_000))).json()
    stops = 0

    async def rows_done() -> int:
        done: int = (await client.get(f"/v1/imports/{made['id']}")).json()["rows_done"]
        return done

    while await rows_done() < 6_000:
        before = await rows_done()
        working = asyncio.create_task(work(leads, made["id"]))

        async def moved(before: int = before) -> bool:
            return await rows_done() > before

        await eventually(moved, every=0.002)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        stops += 1

    await work(leads, made["id"])
    assert stops > 1
    done = (await client.get(f"/v1/imports/{made['id']}")).json()
    assert (done["state"], done["leads"], done["duplicates"], done["rejected"]) == ("done", 6_000, 0, 0)
    rows = await leads.rows("SELECT count(*) AS rows, count(DISTINCT row_no) AS places FROM raw_items")
    assert (rows[0].rows, rows[0].places) == (6_000, 6_000)
    assert len(await leads.outbox("leads.lead.accepted.v1")) == 6_000
    assert await leads.rows("SELECT 1 FROM import_pages") == []


async def test_two_processes_at_once_never_take_the_same_rows_in(leads: Running) -> None:
    client = await leads.client()
    made = (await upload(client, numbers(4_000))).json()

    await asyncio.gather(*(work(leads, made["id"]) for _ in range(3)))

    done = (await client.get(f"/v1/imports/{made['id']}")).json()
    assert (done["state"], done["leads"], done["duplicates"]) == ("done", 4_000, 0)


def fail_with(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Leads cannot be told of among which is one with this name."""
    original = events.accepted

    def accepted(items: Any, candidates: Any, *args: Any, **kwargs: Any) -> Any:
        if any(candidate.name == name for candidate in candidates):
            raise ValueError("a mistake of ours")
        return original(items, candidates, *args, **kwargs)

    monkeypatch.setattr(events, "accepted", accepted)


async def test_a_row_that_cannot_be_processed_is_kept_and_stops_no_other(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, "Khách 7")
    client = await leads.client()
    made = (await upload(client, numbers(20))).json()

    with capture_logs() as logged:
        await work(leads, made["id"])

    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["arrival could not be taken in"]

    done = (await client.get(f"/v1/imports/{made['id']}")).json()
    assert (done["state"], done["leads"], done["rejected"]) == ("done", 19, 1)
    (row,) = await all_rows(client, made["id"], verdict="rejected")
    assert (row["row"], row["reason"]) == (9, "internal")


async def test_rows_behind_one_that_cannot_be_processed_give_way_with_the_numbers_they_share(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(monkeypatch, "Khách 7")
    monkeypatch.setattr(receive, "PAGE_ROWS", 30)
    client = await leads.client()
    # The second page has the numbers of the first.
    rows = [(f"09{place % 30 if place < 60 else place:08}", f"Khách {place}") for place in range(120)]
    made = (await upload(client, workbook(rows))).json()

    await work(leads, made["id"])

    done = (await client.get(f"/v1/imports/{made['id']}")).json()
    assert (done["state"], done["leads"], done["duplicates"], done["rejected"]) == ("done", 90, 29, 1)
    found = await all_rows(client, made["id"])
    assert [row["row"] for row in found if row["verdict"] == "rejected"] == [9]
    # Nobody has the number of the row that was rejected, so it is a lead where it comes again.
    assert [row["row"] for row in found if 32 <= row["row"] < 62 and row["verdict"] == "lead"] == [39]


async def test_an_import_that_failed_goes_on_when_its_file_is_sent_again(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await leads.client()
    content = numbers(2_200)
    monkeypatch.setattr(receive, "PAGE_ROWS", 1_000)
    made = (await upload(client, content)).json()
    advance = store.advance

    async def break_down(connection: Any, import_id: UUID, counts: Any, *, to: int) -> None:
        await advance(connection, import_id, counts, to=to)
        if to > 2_000:
            raise ValueError("a mistake of ours")

    with monkeypatch.context() as broken, capture_logs() as logged:
        broken.setattr(store, "advance", break_down)
        await work(leads, made["id"])
    failed = (await client.get(f"/v1/imports/{made['id']}")).json()
    again = await upload(client, content)
    await work(leads, made["id"])

    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["import failed"]
    assert (failed["state"], failed["rows_done"]) == ("failed", 1_000)
    assert "báo quản trị" in failed["problem"]
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (201, made["id"], "running")
    done = (await client.get(f"/v1/imports/{made['id']}")).json()
    assert (done["state"], done["leads"], done["duplicates"]) == ("done", 2_200, 0)


async def test_the_workbook_of_verdicts_says_what_became_of_each_row(leads: Running) -> None:
    client = await leads.client()
    first = await client.post("/v1/leads", json={"phone": "0987654321"})
    made = (
        await upload(client, workbook([("0912345678", "Lan"), ("0987654321", "Hoa"), ("12", "x"), ("0912345678", "y")]))
    ).json()
    await work(leads, made["id"])

    answer = await client.get(f"/v1/imports/{made['id']}/verdicts.xlsx")

    assert first.status_code == 201
    assert answer.headers["content-type"].startswith("application/vnd.openxmlformats")
    sheet = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows[0] == ["Dòng", "Kết quả", "Lý do", "Số điện thoại", "Họ tên"]
    assert [row[1] for row in rows[1:]] == ["Đã nhận", "Đơn trùng", "Bị loại", "Đơn trùng"]
    assert rows[2][2].startswith("Số này đã về lúc ")
    assert rows[3][2].startswith("Dòng 4, cột “Số điện thoại”: ")
    assert rows[4][2] == "Trùng số với dòng 2."
    assert rows[1][3:] == ["0912345678", "Lan"]


async def test_only_the_uploader_and_those_above_see_an_import(leads: Running) -> None:
    (leader,) = await hire(leads, "TN001", on_duty=False)
    (person, other) = await hire(leads, "NV001", "NV002", superior=leader, on_duty=False)

    async def client_of(who: Any, *more: str) -> httpx.AsyncClient:
        return await leads.client("leads.import", *more, account_id=who.id, code=who.code)

    made = (await upload(await client_of(person), numbers(2))).json()
    await work(leads, made["id"])
    url = f"/v1/imports/{made['id']}"

    assert (await (await client_of(other)).get(url)).status_code == 404
    assert (await (await client_of(leader)).get(url)).status_code == 200
    assert (await (await client_of(leader)).get(f"{url}/rows")).json()["items"][0]["cells"] is None
    assert (await (await client_of(leader)).get(f"{url}/verdicts.xlsx")).status_code == 403
    assert (await (await client_of(leader, "phones.reveal")).get(f"{url}/verdicts.xlsx")).status_code == 200
    assert (await (await client_of(person)).get(f"{url}/rows")).json()["items"][0]["cells"] == ["0900000000", "Khách 0"]
    assert [one["id"] for one in (await (await client_of(person)).get("/v1/imports")).json()["items"]] == [made["id"]]
    assert (await (await client_of(other)).get("/v1/imports")).json()["items"] == []


def a_renamed_csv(_: Path) -> bytes:
    return "SĐT,Tên\n0912345678,Lan\n".encode()


def half_a_zip(_: Path) -> bytes:
    return b"PK\x03\x04 not a zip"


def a_picture(_: Path) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes(64)


def an_encrypted_one(_: Path) -> bytes:
    return compound_file("EncryptionInfo", "EncryptedPackage")


def an_old_one(_: Path) -> bytes:
    return compound_file("Workbook\0")


def a_zip_bomb(path: Path) -> bytes:
    return a_bomb(path).read_bytes()


def a_sparse_one(path: Path) -> bytes:
    """1.6 KB: something in the first cell and something in the last."""
    data = f'<row r="1">{text_cell("A1", "SĐT")}</row><row r="1048576">{text_cell("XFD1048576", "x")}</row>'
    return write_parts(path, parts(data)).read_bytes()


def without_phones(_: Path) -> bytes:
    return workbook([("Lan",)], header=("Tên",))


def without_rows(_: Path) -> bytes:
    return workbook([])


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda _: b"", "workbook-empty"),
        (a_renamed_csv, "workbook-is-text"),
        (half_a_zip, "workbook-damaged"),
        (a_picture, "workbook-unknown-file"),
        (an_encrypted_one, "workbook-encrypted"),
        (an_old_one, "workbook-old-excel"),
        (a_zip_bomb, "workbook-suspicious"),
        (a_sparse_one, "workbook-area-too-large"),
        (without_phones, "workbook-phone-column-missing"),
        (without_rows, "workbook-has-no-rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_file_that_cannot_be_imported_is_refused_by_name(
    leads: Running, tmp_path: Path, make: Callable[[Path], bytes], problem: str
) -> None:
    client = await leads.client()
    content = make(tmp_path / "upload.xlsx")

    answer = await upload(client, content)

    assert 400 <= answer.status_code < 500
    assert answer.json()["title"] == problem
    assert answer.json()["detail"]
    assert await leads.rows("SELECT 1 FROM imports") == []
    assert (await upload(client, numbers(1))).status_code == 201, "the service works on"


async def test_two_numbers_in_a_cell_are_one_lead_and_a_row_without_a_number_says_where(leads: Running) -> None:
    client = await leads.client()
    rows = [("0912345678 / 0987654321", "Lan"), ("", "Hoa"), ("@SUM(A1:A9)", "+84 912 345 670")]
    made = (await upload(client, workbook(rows))).json()
    await work(leads, made["id"])
    first, second, third = await all_rows(client, made["id"])
    lead = (await client.get(f"/v1/leads/{first['lead_id']}")).json()
    assert len(lead["other_phones"]) == 1
    assert second["verdict"] == "rejected"
    assert second["message"].startswith("Dòng 3, cột “Số điện thoại”: ")
    assert third["cells"][0] == "@SUM(A1:A9)"
    content = (await client.get(f"/v1/imports/{made['id']}/verdicts.xlsx")).content
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    assert (sheet["D4"].data_type, sheet["D4"].value) == ("s", "@SUM(A1:A9)")


async def test_the_template_offers_sources_products_and_colleagues_and_is_read_by_its_headings(leads: Running) -> None:
    client = await leads.client()
    await client.post("/v1/sources", json={"name": "Hội chợ", "channel": "event", "product": "SERUM-30"})
    await hire(leads, "NV101", "NV102")
    template = await client.get("/v1/imports/template.xlsx")
    book = load_workbook(io.BytesIO(template.content))
    sheet, choices = book.worksheets[0], book["Danh mục"]
    offered = {cell.value for row in choices.iter_rows() for cell in row if cell.value}
    assert {"Hội chợ", "SERUM-30"} <= offered
    assert {text.split()[0] for text in offered if text.startswith("NV")} == {"NV101", "NV102"}
    validated = {str(one.sqref).split(":")[0][:1] for one in sheet.data_validations.dataValidation}
    headings = {str(cell.value): cell.column_letter for cell in sheet[1]}
    assert validated == {headings["Sản phẩm"], headings["Nguồn"], headings["Giao cho"]}
    assert [cell.value for cell in book["Ví dụ"][2]][headings_index(headings, "Nguồn")] == "Hội chợ"
    assert sheet[f"{headings['Số điện thoại (*)']}1"].comment is not None
    marketer = await leads.client("leads.import")
    other = load_workbook(io.BytesIO((await marketer.get("/v1/imports/template.xlsx")).content))
    assert not any(str(cell.value).startswith("NV") for row in other["Danh mục"].iter_rows() for cell in row)


def headings_index(headings: dict[str, str], name: str) -> int:
    return list(headings).index(name)


async def test_the_template_can_be_filled_in_and_imported(leads: Running) -> None:
    client = await leads.client()
    await client.post("/v1/sources", json={"name": "Hội chợ", "channel": "event", "product": "SERUM-30"})
    template = await client.get("/v1/imports/template.xlsx")
    book = load_workbook(io.BytesIO(template.content))
    sheet = book.worksheets[0]
    headings = {str(cell.value): cell.column_letter for cell in sheet[1]}
    sheet[f"{headings['Số điện thoại (*)']}2"] = "0912345678"
    sheet[f"{headings['Nguồn']}2"] = "Hội chợ"
    filled = io.BytesIO()
    book.save(filled)

    made = (await upload(client, filled.getvalue())).json()
    await work(leads, made["id"])

    done = (await client.get(f"/v1/imports/{made['id']}")).json()
    assert (done["row_count"], done["leads"]) == (1, 1)
    (event,) = await leads.outbox("leads.lead.accepted.v1")
    assert event["payload"]["source"]["channel"] == "event"
