"""Levels are the company's own: what leads shows follows the catalogue that orders tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from uuid_utils.compat import uuid7

from shared.contracts.events.orders import LEVEL_CATALOGUE_CHANGED, LevelCatalogueChanged, LevelNow
from tests.harness import Running
from tests.integration.leads.company import hire, pool, post
from tests.integration.leads.floating import floated, seller
from tests.integration.leads.test_everyday import history, move
from tests.integration.leads.test_exports import ask, workbook, worker

PAY_DAY = "L1.7"
MOVED_AWAY = "L1.8"
ENGLISH = {"Accept-Language": "en"}


def level(code: str, vi: str, en: str, *, final: bool = False, retired: bool = False) -> LevelNow:
    return LevelNow(code=code, parent="L1", vi=vi, en=en, colour="#0d9488", final=final, position=9, retired=retired)


async def tell(leads: Running, version: int, *levels: LevelNow) -> None:
    told = LevelCatalogueChanged(version=version, at=datetime.now(UTC), levels=levels)
    await leads.receive(LEVEL_CATALOGUE_CHANGED, told, subject="levels", event_id=uuid7())


async def own_levels(leads: Running) -> None:
    """The company waits for pay days, and gives up whoever moved abroad."""
    await tell(
        leads,
        2,
        level(PAY_DAY, "Chờ lương", "Waiting for pay day"),
        level(MOVED_AWAY, "Đi xa", "Moved away", final=True),
    )


async def test_lists_and_files_and_sentences_name_a_level_as_the_company_does(leads: Running) -> None:
    client = await leads.client(code="NV001")
    await own_levels(leads)
    lead = await post(client, "0912345678", name="Lan")
    await move(leads, lead, 2, PAY_DAY, final=False)

    (listed,) = (await client.get("/v1/leads", params={"level": PAY_DAY})).json()["items"]
    english = (await client.get(f"/v1/leads/{lead['id']}", headers=ENGLISH)).json()
    known = (await client.post("/v1/leads/lookup", json={"phone": "0912345678"})).json()["numbers"][0]
    export = await ask(client)
    await worker(leads).step()
    (row,) = await workbook(client, export)

    assert (listed["level_name"], listed["open"], english["level_name"]) == ("Chờ lương", True, "Waiting for pay day")
    assert (known["lead"]["level_name"], "Chờ lương (L1.7)" in known["sentence"]) == ("Chờ lương", True)
    assert (row["Trạng thái"], row["Mã trạng thái"]) == ("Chờ lương", PAY_DAY)
    said = [entry["sentence"] for entry in await history(client, lead) if entry["kind"] == "level"]
    assert said == ["Đã lọc trùng (L1) → Chờ lương (L1.7), kết quả gọi."]


async def test_a_renamed_or_retired_level_has_its_newest_name_in_whatever_order_it_is_told(leads: Running) -> None:
    client = await leads.client()
    await tell(leads, 4, level(PAY_DAY, "Chờ ngày lương", "Pay day", retired=True), level("L1", "Số sạch", "Clean"))
    await tell(leads, 3, level(PAY_DAY, "Chờ lương", "Waiting"))
    lead = await post(client, "0912345678")
    before = (await client.get(f"/v1/leads/{lead['id']}")).json()["level_name"]
    await move(leads, lead, 2, PAY_DAY)

    assert before == "Số sạch"
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["level_name"] == "Chờ ngày lương"


async def test_a_level_that_nobody_has_told_of_is_shown_by_its_code(leads: Running) -> None:
    client = await leads.client()
    lead = await post(client, "0912345678")
    await move(leads, lead, 2, "L1.99", final=False)

    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["level_name"] == "L1.99"
    assert "L1.99 (L1.99)" in (await history(client, lead))[0]["sentence"]


async def test_an_owner_sees_the_number_at_an_own_open_level_and_not_at_one_that_ends(leads: Running) -> None:
    (person,) = await hire(leads, "NV001")
    admin = await leads.client()
    await pool(admin, [person])
    own = await leads.client("leads.read", account_id=person.id, code="NV001")
    waits, ends, silent = [await post(admin, f"091234567{place}") for place in range(3)]
    await own_levels(leads)
    await move(leads, waits, 2, PAY_DAY, final=False)
    await move(leads, ends, 2, MOVED_AWAY, final=True)
    await move(leads, silent, 2, MOVED_AWAY)  # as it was told before events said whether a level ends

    async def seen(lead: dict[str, Any]) -> tuple[str, bool]:
        shown = (await own.get(f"/v1/leads/{lead['id']}")).json()
        return shown["phone"], shown["open"]

    assert await seen(waits) == ("0912345670", True)
    assert await seen(ends) == ("0912***671", False)
    assert await seen(silent) == ("0912***672", False)


async def test_a_leaver_hands_over_what_is_open_by_the_companys_own_levels(leads: Running) -> None:
    (leaver,) = await hire(leads, "NV009")
    admin = await leads.client()
    await pool(admin, [leaver])
    made = [await post(admin, f"091234567{place}") for place in range(3)]
    await own_levels(leads)
    await move(leads, made[0], 2, MOVED_AWAY, final=True)
    await move(leads, made[1], 2, PAY_DAY, final=False)
    await leaver.change(active=False)

    (needed,) = (await admin.get("/v1/hand-overs/needed")).json()["items"]
    assert (needed["code"], needed["open_leads"], needed["in_care"]) == ("NV009", 2, 2)


async def test_the_floating_pool_names_the_companys_levels(leads: Running) -> None:
    holder, claimer = await hire(leads, "NV001", "NV002", on_duty=False)
    await own_levels(leads)
    (lead_id,) = await floated(leads, holder, "0912345678")
    await move(leads, {"id": lead_id}, 2, PAY_DAY, final=False)

    shown = (await (await seller(leads, claimer)).get("/v1/floating-pool", headers=ENGLISH)).json()["items"]
    assert [(one["level"], one["level_name"]) for one in shown] == [(PAY_DAY, "Waiting for pay day")]
