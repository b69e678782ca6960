"""Numbers that stand in what people wrote are masked wherever it is shown (rule D26), not only where they were typed."""

from __future__ import annotations

from tests.harness import Running
from tests.integration.leads.company import hire, pool, post

PHONE, SECOND = "0912345678", "0987654321"


async def test_a_number_in_a_reason_is_masked_until_somebody_holds_the_lead(leads: Running) -> None:
    (lan,) = await hire(leads, "NV101")
    boss = await leads.client(code="QL01")
    await pool(boss, [lan])
    lead = (await post(boss, PHONE))["id"]
    reason = f"khách bảo gọi {SECOND}"
    body = {"lead_ids": [lead], "to": "floating_pool", "reason": reason}
    assert (await boss.post("/v1/leads/reassign", json=body)).json()["rows"][0]["result"] == "released"
    (listed,) = (await boss.get("/v1/floating-pool")).json()["items"]
    looked_at = (await boss.post(f"/v1/floating-pool/{lead}/view")).json()
    assert [listed["reason"], looked_at["reason"]] == ["khách bảo gọi 0987***321"] * 2
    for path in (f"/v1/leads/{lead}/why", f"/v1/leads/{lead}/history"):
        said = (await boss.get(path)).text
        assert (SECOND in said, "0987***321" in said) == (False, True), path
    assert (await boss.delete(f"/v1/floating-pool/{lead}/view")).status_code == 204

    given = await boss.post(f"/v1/leads/{lead}/assign", json={"owner_id": str(lan.id), "reason": reason})
    assert given.status_code == 200, given.text
    holder = await leads.client(account_id=lan.id, code=lan.code)
    for path in (f"/v1/leads/{lead}/why", f"/v1/leads/{lead}/history"):
        assert SECOND in (await holder.get(path)).text, path


async def test_a_number_in_a_name_is_masked_where_somebody_asks_who_has_called(leads: Running) -> None:
    (lan,) = await hire(leads, "NV101")
    boss = await leads.client(code="QL01")
    await pool(boss, [lan])
    await post(boss, PHONE, name=f"Chị Hoa {SECOND}")
    holder = await leads.client(account_id=lan.id, code=lan.code)
    told = (await boss.post("/v1/leads/lookup", json={"phone": PHONE})).text
    assert (SECOND in told, "Chị Hoa 0987***321, " in told) == (False, True)
    assert f"Chị Hoa {SECOND}, " in (await holder.post("/v1/leads/lookup", json={"phone": PHONE})).text
