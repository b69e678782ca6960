"""What people do with imports: try them, stop them, take only what is new, say how columns are read, undo them."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

import httpx
import pytest
from openpyxl import load_workbook

from services.leads.imports import store, turn
from services.leads.imports.undo import Undo
from shared.contracts.activities import UndoPlace
from tests.harness import Running
from tests.integration.leads.company import hire, owner_of, pool
from tests.integration.leads.imports_support import (
    all_rows,
    give_words,
    numbers,
    quiet,
    tables,
    turns_of,
    upload,
    work,
    workbook,
)

HEADER = ("SĐT", "Tên", "Sản phẩm", "Nguồn")


async def read(client: httpx.AsyncClient, import_id: str) -> dict[str, Any]:
    return dict((await client.get(f"/v1/imports/{import_id}")).json())


async def undo(leads: Running, client: httpx.AsyncClient, import_id: str, *, kept: tuple[str, ...] = ()) -> None:
    """Undoes an import as its workflow does; orders keeps what the test says."""
    answer = await client.post(f"/v1/imports/{import_id}/undo", json={"reason": "nhầm tệp"})
    assert (answer.status_code, answer.json()["state"]) == (200, "undoing"), answer.text
    steps, before = Undo(leads.db), 0
    while True:
        batch = await steps.choose(UndoPlace(import_id=UUID(import_id), before_row=before))
        stay = tuple(id for id in batch.lead_ids if str(id) in kept)
        if (await steps.remove(batch.model_copy(update={"kept": stay})))["state"] == "undone":
            return
        before = batch.first_row


async def test_an_upload_asks_for_its_workflow_in_its_own_transaction(leads: Running) -> None:
    client = await leads.client()
    made = (await upload(client, numbers(2))).json()
    (command,) = await leads.outbox("ImportWorkflow")
    assert command["payload"]["workflow_id"] == f"import/{made['id']}"
    assert command["payload"]["input"]["import_id"] == made["id"]


async def test_a_dry_run_says_what_would_become_of_each_row_and_writes_no_lead(leads: Running) -> None:
    client = await leads.client()
    await client.post("/v1/sources", json={"name": "Hội chợ", "channel": "event", "product": "SERUM"})
    known = (await client.post("/v1/leads", json={"phone": "0987654321"})).json()
    rows = [
        ("0912345678", "Lan", "SERUM", "hội chợ"),
        ("0987 654 321", "Hoa", "", ""),
        ("12", "x", "", ""),
        ("+84912345678", "Lan lần 2", "", ""),
        ("0912345679", "Mai", "KEM", "TikTok"),
    ]
    before = await tables(leads, but={"import_pages", "import_verdicts"})
    made = (await upload(client, workbook(rows, HEADER), mode="dry_run")).json()
    await work(leads, made["id"])
    done = await read(client, made["id"])
    assert (done["state"], done["leads"], done["duplicates"], done["rejected"]) == ("checked", 2, 2, 1)
    found = await all_rows(client, made["id"])
    assert [row["verdict"] for row in found] == ["lead", "duplicate", "rejected", "duplicate", "lead"]
    assert found[1]["anchor_id"] == known["id"]
    assert found[3]["anchor_row"] == 2
    assert found[2]["message"].startswith("Dòng 4, cột “SĐT”: ")
    assert found[0]["message"] == ""
    assert "TikTok" in found[4]["message"]
    assert "KEM" in found[4]["message"]
    assert await tables(leads, but={"import_pages", "import_verdicts"}) == before
    sheet = load_workbook(io.BytesIO((await client.get(f"/v1/imports/{made['id']}/verdicts.xlsx")).content)).worksheets[
        0
    ]
    assert [cell.value for cell in sheet["B"]][1:] == ["Đã nhận", "Đơn trùng", "Bị loại", "Đơn trùng", "Đã nhận"]


async def test_what_was_tried_is_taken_in_without_another_upload(leads: Running) -> None:
    client = await leads.client()
    content = numbers(2_500)
    made = (await upload(client, content, mode="dry_run")).json()
    await work(leads, made["id"])
    assert (await read(client, made["id"]))["leads"] == 2_500
    taken = await client.post(f"/v1/imports/{made['id']}/import")
    again = await client.post(f"/v1/imports/{made['id']}/import")
    await work(leads, made["id"])
    done = await read(client, made["id"])
    assert (taken.json()["state"], again.status_code) == ("running", 409)
    assert (done["mode"], done["state"], done["leads"]) == ("import", "done", 2_500)
    assert len(await leads.rows("SELECT 1 FROM leads")) == 2_500
    assert [row["payload"]["workflow_id"] for row in await leads.outbox("ImportWorkflow")] == [
        f"import/{made['id']}",
        f"import/{made['id']}/2",
    ]
    assert (await upload(client, content)).status_code == 409


async def test_what_was_imported_meanwhile_is_not_taken_in_from_a_dry_run(leads: Running) -> None:
    client = await leads.client()
    content = numbers(3)
    tried = (await upload(client, content, mode="dry_run")).json()
    await work(leads, tried["id"])
    assert (await upload(client, content)).status_code == 201
    answer = await client.post(f"/v1/imports/{tried['id']}/import")
    assert (answer.status_code, answer.json()["title"]) == (409, "import-state")


async def test_a_cancelled_import_keeps_what_it_took_in_and_can_go_on(
    leads: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "TURN_ROWS", 4_000)
    client = await leads.client()
    made = (await upload(client, numbers(7_000))).json()
    await turns_of(leads).take(UUID(made["id"]), beat=quiet)
    stopped = await client.post(f"/v1/imports/{made['id']}/cancel")
    again = await client.post(f"/v1/imports/{made['id']}/cancel")
    await work(leads, made["id"])
    assert (stopped.json()["state"], again.status_code) == ("cancelled", 200)
    assert stopped.json()["leads"] == 4_000
    assert "4.000/7.000 dòng" in stopped.json()["message"]
    assert len(await leads.rows("SELECT 1 FROM leads")) == 4_000
    waiting = (await client.get(f"/v1/imports/{made['id']}/rows", params={"verdict": "waiting"})).json()["items"]
    assert (waiting[0]["row"], waiting[0]["lead_id"]) == (4_002, None)
    resumed = await client.post(f"/v1/imports/{made['id']}/resume")
    await work(leads, made["id"])
    assert resumed.json()["state"] == "running"
    done = await read(client, made["id"])
    assert (done["state"], done["leads"], done["duplicates"]) == ("done", 7_000, 0)


async def test_only_new_rows_of_a_corrected_file_are_taken_in(leads: Running) -> None:
    client = await leads.client()
    first = (
        await upload(client, workbook([("0912345678", "Lan"), ("12", "Hoa"), ("0912345679", "Mai")]), "thang-10.xlsx")
    ).json()
    await work(leads, first["id"])
    errors = await client.get(f"/v1/imports/{first['id']}/verdicts.xlsx", params={"only": "rejected"})
    book = load_workbook(io.BytesIO(errors.content))
    sheet = book.worksheets[0]
    assert [[cell.value for cell in row][3:] for row in sheet.iter_rows()] == [
        ["Số điện thoại", "Họ tên"],
        ["12", "Hoa"],
    ]
    sheet["D2"] = "0912345670"
    sheet.append(["", "", "", "0912345678", "LAN"])
    sheet.append(["", "", "", "0912345679", "Mai đổi tên"])
    corrected = io.BytesIO()
    book.save(corrected)
    second = (await upload(client, corrected.getvalue(), "sua.xlsx", only_new="true")).json()
    await work(leads, second["id"])
    done = await read(client, second["id"])
    assert (done["leads"], done["repeated"], done["duplicates"]) == (1, 1, 1)
    found = {row["row"]: row for row in await all_rows(client, second["id"])}
    assert found[3]["verdict"] == "repeated"
    assert found[3]["message"] == "Đã nhập ở dòng 2 của tệp “thang-10.xlsx”."


async def test_the_same_file_once_more_brings_nothing_new(leads: Running) -> None:
    client = await leads.client()
    content = numbers(1_500)
    first = (await upload(client, content)).json()
    await work(leads, first["id"])
    again = await upload(client, content, only_new="true")
    await work(leads, again.json()["id"])
    done = await read(client, again.json()["id"])
    assert (done["state"], done["repeated"], done["leads"], done["duplicates"]) == ("done", 1_500, 0, 0)
    assert len(await leads.rows("SELECT 1 FROM raw_items")) == 1_500


async def test_how_columns_are_read_is_said_once_and_remembered_for_the_header(leads: Running) -> None:
    client = await leads.client()
    header = ("Liên hệ KH", "Người", "Mã")
    refused = await upload(client, workbook([("0912345678", "Lan", "7")], header))
    wish = '{"Liên hệ KH": "phone", "Người": "name"}'
    made = await upload(client, workbook([("0912345678", "Lan", "7")], header), columns=wish)
    assert (refused.status_code, refused.json()["title"]) == (422, "workbook-phone-column-missing")
    assert made.json()["columns"] == {"Liên hệ KH": "phone", "Người": "name", "Mã": None}
    next_file = await upload(client, workbook([("8", "0912345679", "Hoa")], ("MÃ", "liên hệ kh", "NGƯỜI")))
    assert next_file.status_code == 201
    assert next_file.json()["header_key"] == made.json()["header_key"]
    assert next_file.json()["columns"]["liên hệ kh"] == "phone"
    (kept,) = (await client.get("/v1/imports/mappings")).json()["items"]
    changed = await client.put(
        f"/v1/imports/mappings/{kept['header_key']}", json={"columns": {"Liên hệ KH": "phone", "Người": None}}
    )
    assert changed.json()["columns"]["Người"] is None
    assert (await client.delete(f"/v1/imports/mappings/{kept['header_key']}")).status_code == 204
    assert (await client.delete(f"/v1/imports/mappings/{kept['header_key']}")).status_code == 404


async def test_a_column_that_is_not_there_or_a_meaning_twice_is_refused_by_name(leads: Running) -> None:
    client = await leads.client()
    content = workbook([("0912345678", "Lan")])
    for wish, named in (('{"Tuổi": "note"}', "Tuổi"), ('{"Họ tên": "phone", "Số điện thoại": "phone"}', "phone")):
        answer = await upload(client, content, columns=wish)
        assert (answer.status_code, answer.json()["title"]) == (422, "import-columns")
        assert named in answer.json()["columns"]
    for wish in ("[]", "{", '{"Họ tên": "age"}'):
        assert (await upload(client, content, columns=wish)).json()["title"] == "import-columns"
    assert await leads.rows("SELECT 1 FROM imports") == []


async def test_a_row_names_its_owner_if_its_sender_may_distribute(leads: Running) -> None:
    lan, hoa = await hire(leads, "NV101", "NV102")
    boss = await leads.client()
    await pool(boss, [hoa])
    header = ("SĐT", "Giao cho")
    rows = [("0912345670", "nv101 – Lan"), ("0912345671", ""), ("0912345672", "NV999"), ("0912345670", "NV102")]
    made = (await upload(boss, workbook(rows, header))).json()
    await work(leads, made["id"])
    found = await all_rows(boss, made["id"])
    assert [row["verdict"] for row in found] == ["lead", "lead", "rejected", "duplicate"]
    assert found[2]["message"].startswith("Dòng 4, cột “Giao cho”: không có người dùng mã “NV999”")
    assert await owner_of(boss, {"id": found[0]["lead_id"]}) == lan.code
    assert await owner_of(boss, {"id": found[1]["lead_id"]}) == hoa.code
    events = {event["subject"]: event["payload"] for event in await leads.outbox("leads.lead.assigned.v1")}
    assert events[found[0]["lead_id"]]["cause"] == "manual"
    marketer = await leads.client("leads.import", code="MKT01")
    other = (await upload(marketer, workbook([("0912345673", "NV101")], header))).json()
    await work(leads, other["id"])
    assert await owner_of(boss, {"id": (await all_rows(marketer, other["id"]))[0]["lead_id"]}) == hoa.code


async def test_undo_leaves_the_tables_as_they_were_but_for_the_audit(leads: Running) -> None:
    client = await leads.client()
    people = await hire(leads, "NV101", "NV102", "NV103")
    await pool(client, people, capacity=300)
    setting = await client.get("/v1/settings/duplicates")
    etag = {"If-Match": setting.headers["ETag"]}
    closed = await client.put("/v1/settings/duplicates", json={"days": 0}, headers=etag)
    assert closed.status_code == 200, closed.text
    for place in range(20):
        await client.post("/v1/leads", json={"phone": f"09{place:08}", "name": "trước đó"})
    before = await tables(leads)
    content = workbook([(f"09{place % 1_300:08}", f"Khách {place}") for place in range(1_500)] + [("12", "x")])
    made = (await upload(client, content)).json()
    await work(leads, made["id"])
    assert await tables(leads) != before

    await undo(leads, client, made["id"])

    await give_words(leads)  # as the service does by itself, to those that are left
    assert await tables(leads) == before
    done = await read(client, made["id"])
    assert (done["state"], done["undone"], done["kept"], done["undo_reason"]) == ("undone", 1_500, 0, "nhầm tệp")
    assert {row["verdict"] for row in await all_rows(client, made["id"])} == {"undone"}
    withdrawn = await leads.outbox("leads.lead.withdrawn.v1")
    assert len({event["subject"] for event in withdrawn}) == len(withdrawn) == 1_500
    again = await upload(client, content)
    await work(leads, again.json()["id"])
    assert again.status_code == 201
    assert (await read(client, again.json()["id"]))["rows_done"] == 1_501


async def test_undo_leaves_what_somebody_has_worked_on_and_says_so(leads: Running) -> None:
    client = await leads.client()
    (person,) = await hire(leads, "NV101")
    made = (await upload(client, workbook([(f"091234567{place}", "") for place in range(5)]))).json()
    await work(leads, made["id"])
    ids = [row["lead_id"] for row in await all_rows(client, made["id"])]
    came_again = await client.post("/v1/leads", json={"phone": "0912345671"})
    given = await client.post(f"/v1/leads/{ids[2]}/assign", json={"owner_id": str(person.id), "reason": "khách quen"})
    assert came_again.json()["anchor_id"] == ids[1]

    await undo(leads, client, made["id"], kept=(ids[0],))

    found = await all_rows(client, made["id"])
    assert given.status_code == 200, given.text
    assert [row["verdict"] for row in found] == ["kept", "kept", "kept", "undone", "undone"]
    assert [row["reason"] for row in found][:3] == ["worked_on", "came_again", "changed"]
    assert found[0]["message"] == "Đã có người chăm, giữ lại."
    assert (await read(client, made["id"]))["kept"] == 3
    assert (await client.get(f"/v1/leads/{ids[0]}")).status_code == 200
    assert (await client.get(f"/v1/leads/{ids[3]}")).status_code == 404
    twin = (await client.post("/v1/leads", json={"phone": "0912345670"})).json()
    assert (twin["verdict"], twin["anchor_id"]) == ("duplicate", ids[0])
    fresh = (await client.post("/v1/leads", json={"phone": "0912345674"})).json()
    assert fresh["verdict"] == "lead"


async def test_only_who_may_correct_undoes_and_only_what_has_ended(leads: Running) -> None:
    importer = await leads.client("leads.import")
    boss = await leads.client()
    made = (await upload(boss, numbers(2))).json()
    refused = await importer.post(f"/v1/imports/{made['id']}/undo", json={"reason": "nhầm tệp"})
    running = await boss.post(f"/v1/imports/{made['id']}/undo", json={"reason": "nhầm tệp"})
    assert (refused.status_code, running.status_code, running.json()["state"]) == (403, 409, "running")


async def test_rows_that_were_only_tried_are_forgotten_after_a_month(leads: Running) -> None:
    client = await leads.client()
    made = (await upload(client, numbers(5), mode="dry_run")).json()
    taken = (await upload(client, numbers(4))).json()
    for one in (made, taken):
        await work(leads, one["id"])
    driver = await leads.db.driver()
    await store.forget_old(driver, pages=10, verdicts=100)
    kept = "SELECT import_id::text FROM import_pages UNION ALL SELECT import_id::text FROM import_verdicts"
    assert [row.import_id for row in await leads.rows(kept)] == [made["id"]] * 6
    await driver.execute("UPDATE imports SET finished_at = now() - interval '31 days'")
    await store.forget_old(driver, pages=10, verdicts=100)
    assert await leads.rows(kept) == []
    assert (await read(client, made["id"]))["leads"] == 5
    late = await client.post(f"/v1/imports/{made['id']}/import")
    assert (late.status_code, late.json()["title"]) == (409, "import-state")
