"""Sources as their managers use them: trying a payload out, figures, campaigns, and how numbers are read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text
from uuid_utils.compat import uuid7

from shared.contracts.events.orders import LEVEL_CHANGED, LevelChanged
from tests.harness import Running
from tests.integration.leads.company import NOW
from tests.integration.leads.test_landing_pages import landing_page

RULES = [{"parameter": "utm_source", "value": "fb_an", "marketer": "MKT01"}]
LINK = "https://shop.example/serum?utm_source=fb_an&utm_campaign=thang11"


async def attempt(
    client: httpx.AsyncClient, page: dict[str, Any], body: str, content_type: str = "application/json"
) -> dict[str, Any]:
    answer = await client.post(
        f"/v1/sources/{page['id']}/test",
        json={"content_type": content_type, "body": body},
        headers={"Accept-Language": "vi"},
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def around(leads: Running) -> dict[str, str]:
    (row,) = await leads.rows("SELECT min(received_at) AS since, max(received_at) AS until FROM raw_items")
    return {"since": row.since.isoformat(), "until": (row.until + timedelta(microseconds=1)).isoformat()}


async def test_the_test_button_shows_what_a_form_would_become_and_writes_nothing(leads: Running) -> None:
    admin = await leads.client()
    page, hook = await landing_page(
        admin, field_map={"form_item7": "note"}, utm_rules=RULES, marketer="MKT00", consent_text="Đồng ý"
    )
    before = await leads.rows("SELECT (SELECT count(*) FROM raw_items), (SELECT count(*) FROM duplicate_windows)")

    shown = await attempt(
        admin,
        page,
        f"ho_ten=Lan&sdt=0168.234.5678&form_item7=gap&mau=do&link={LINK.replace('&', '%26')}",
        "application/x-www-form-urlencoded",
    )

    assert (shown["verdict"], shown["marketer"], shown["marketer_because"]) == ("lead", "MKT01", "utm_source=fb_an")
    assert (shown["campaign"], shown["consent_text"], shown["consent_page"]) == ("thang11", "Đồng ý", LINK)
    assert shown["lead"] == {"name": "Lan", "product": "SERUM-30", "note": "gap", "address": ""}
    assert [(one["name"], one["meaning"], one["by_map"]) for one in shown["fields"]] == [
        ("ho_ten", "name", False),
        ("sdt", "phone", False),
        ("form_item7", "note", True),
        ("mau", None, False),
        ("link", "link", False),
    ]
    (number,) = shown["phone"]["numbers"]
    assert (number["national"], number["operator"]) == ("0382345678", "Viettel")
    assert [step["code"] for step in number["steps"]] == ["prefix_2018"]
    after = await leads.rows("SELECT (SELECT count(*) FROM raw_items), (SELECT count(*) FROM duplicate_windows)")
    assert [tuple(row) for row in after] == [tuple(row) for row in before]

    first = (await (await leads.anonymous()).post(hook, json={"phone": "0912345678"})).json()
    again = await attempt(admin, page, '{"phone": "+84 912 345 678"}')
    nothing = await attempt(admin, page, '{"phone": "0912"}')
    garbage = await attempt(admin, page, "\u0000<xml>")
    assert (again["verdict"], again["anchor_id"]) == ("duplicate", first["id"])
    assert (nothing["verdict"], nothing["reason"]) == ("rejected", "phone_missing_digits")
    assert "thiếu" in nothing["message"]
    assert garbage["reason"] == "body_unreadable"


async def test_the_test_button_of_an_integrator_takes_what_its_route_takes(leads: Running) -> None:
    admin = await leads.client()
    source = (await admin.post("/v1/sources", json={"name": "CRM", "channel": "api", "product": "X"})).json()

    good = await attempt(admin, source, '{"phone": "0912345678", "ten": "Lan"}')
    wrong = await attempt(admin, source, '{"sdt": "0912345678"}')
    reader = await leads.client("leads.read")

    assert (good["verdict"], good["lead"]["product"]) == ("lead", "X")
    assert [(one["name"], one["meaning"]) for one in good["fields"]] == [("phone", "phone"), ("ten", None)]
    assert (wrong["verdict"], wrong["reason"]) == ("rejected", "body_invalid")
    assert (await reader.post(f"/v1/sources/{source['id']}/test", json={"body": "{}"})).status_code == 403


async def test_figures_tell_what_came_of_each_source_and_channel(leads: Running) -> None:
    admin = await leads.client()
    page, hook = await landing_page(admin, marketer="MKT01")
    other = (await admin.post("/v1/sources", json={"name": "Gọi đến", "channel": "hotline"})).json()
    visitor = await leads.anonymous()
    made = [(await visitor.post(hook, json={"phone": f"091234567{n}"})).json()["id"] for n in range(3)]
    await visitor.post(hook, json={"phone": "0912345670", "name": "Lan"})
    await visitor.post(hook, json={"phone": "0912"})
    dismissed = (await visitor.post(hook, content=b"\xff")).json()["id"]
    await admin.post(f"/v1/raw-items/{dismissed}/dismiss", json={"reason": "thử"})
    await admin.post("/v1/leads", json={"phone": "0987654321", "source_id": other["id"]})
    await admin.post("/v1/leads", json={"phone": "0987654322"})
    for sequence, (lead, to) in enumerate([(made[0], "L5"), (made[0], "L7"), (made[0], "L8"), (made[1], "L5")], 1):
        await level(leads, lead, to, sequence)
    over = await around(leads)

    figures = (await admin.get(f"/v1/sources/{page['id']}/figures", params=over)).json()["figures"]
    listed = (await admin.get("/v1/sources/figures", params=over)).json()["items"]
    channels = (await admin.get("/v1/channels/figures", params=over)).json()["items"]

    assert figures == {
        "raw": 6,
        "leads": 3,
        "duplicates": 1,
        "rejected": {"phone_missing_digits": 1},
        "dismissed": 1,
        "spam": {},
        "closed": 2,
        "delivered": 1,
        "by_level": {"L8": 1, "L5": 1, "L1": 1, "C3.1": 1},
    }
    assert [(one["name"], one["figures"]["raw"]) for one in listed] == [("serum-30", 6), ("Gọi đến", 1)]
    assert {one["channel"]: one["figures"]["leads"] for one in channels} == {
        "landing_page": 3,
        "hotline": 1,
        "manual": 1,
    }


async def level(leads: Running, lead: str, to: str, sequence: int) -> None:
    fact = LevelChanged.model_validate(
        {
            "order_id": UUID(lead),
            "transition_id": uuid7(),
            "cohort_at": NOW,
            "sequence": sequence,
            "from_level": "L1",
            "to_level": to,
            "at": NOW,
            "recorded_at": NOW,
            "actor": "NV01",
            "cause": "operator",
        }
    )
    await leads.receive(LEVEL_CHANGED, fact, subject=lead)


async def test_a_marketer_sees_the_figures_of_their_own_sources_only(leads: Running) -> None:
    admin = await leads.client()
    page, hook = await landing_page(admin, marketer="MKT01")
    hidden = (await admin.post("/v1/sources", json={"name": "Khác", "channel": "api", "marketer": "MKT02"})).json()
    await (await leads.anonymous()).post(hook, json={"phone": "0912345678"})
    over = await around(leads)
    marketer = await leads.client("leads.read", code="MKT01")

    listed = (await marketer.get("/v1/sources/figures", params=over)).json()["items"]

    assert [one["id"] for one in listed] == [page["id"]]
    assert (await marketer.get(f"/v1/sources/{hidden['id']}/figures", params=over)).status_code == 404
    assert (await marketer.get("/v1/channels/figures", params=over)).status_code == 403
    long = {"since": "2026-01-01T00:00:00Z", "until": "2026-06-01T00:00:00Z"}
    assert (await marketer.get("/v1/sources/figures", params=long)).json()["title"] == "range-too-long"


async def test_figures_of_a_source_read_its_index_and_not_the_inbox(leads: Running) -> None:
    admin = await leads.client()
    page, _ = await landing_page(admin)
    async with leads.db.transaction() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        await session.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = await session.execute(
            text(
                "EXPLAIN SELECT source_id, verdict, reason, count(*) FROM raw_items WHERE source_id = ANY(CAST(:ids AS uuid[])) "
                "AND received_at >= now() AND received_at < now() GROUP BY source_id, verdict, reason"
            ),
            {"ids": [page["id"]]},
        )
        lines = "\n".join(row[0] for row in plan)
    assert "Index Only Scan using raw_items_source_idx" in lines


async def test_campaigns_have_a_period_a_cost_and_figures(leads: Running) -> None:
    admin = await leads.client()
    body = {"code": "thang11", "name": "Serum tháng 11", "starts_on": "2026-11-01", "cost_per_day": 3_000_000}
    campaign = (await admin.post("/v1/campaigns", json=body)).json()
    _, hook = await landing_page(admin)
    for phone in ("0912345678", "0987654321", "09123"):
        await (await leads.anonymous()).post(hook, json={"phone": phone, "link": LINK})
    url = f"/v1/campaigns/{campaign['id']}"
    seen = await admin.get(url)
    edit = {"name": "Serum T11", "starts_on": "2026-11-01", "ends_on": "2026-11-30", "budget": 90_000_000}

    changed = await admin.put(url, json=edit, headers={"If-Match": seen.headers["etag"]})
    stale = await admin.put(url, json=edit, headers={"If-Match": seen.headers["etag"]})
    backwards = await admin.put(
        url, json={**edit, "ends_on": "2026-10-01"}, headers={"If-Match": changed.headers["etag"]}
    )
    twice = await admin.post("/v1/campaigns", json=body)
    figures = (await admin.get(f"{url}/figures", params=await around(leads))).json()

    assert [changed.status_code, stale.status_code, backwards.status_code] == [200, 412, 422]
    assert (changed.json()["budget"], changed.json()["code"]) == (90_000_000, "thang11")
    assert twice.json()["title"] == "campaign-code-taken"
    assert figures["code"] == "thang11"
    counted = {name: figures["figures"][name] for name in ("raw", "leads", "duplicates", "rejected")}
    assert counted == {"raw": 3, "leads": 2, "duplicates": 0, "rejected": {"phone_missing_digits": 1}}
    assert [one["code"] for one in (await admin.get("/v1/campaigns")).json()["items"]] == ["thang11"]


async def test_how_a_text_was_read_is_explained_in_words(leads: Running) -> None:
    client = await leads.client("leads.read")
    typed = {"text": "SĐT: +84 (0) 168.234.5678 hoặc O912 345 678, cố định 04 3825 1234, CMND 079123456789"}

    vi = (await client.post("/v1/phones/explain", json=typed)).json()
    en = (await client.post("/v1/phones/explain", json=typed, headers={"Accept-Language": "en"})).json()
    none = (await client.post("/v1/phones/explain", json={"text": "gọi em nhé"})).json()
    priced = (await client.post("/v1/phones/explain", json={"text": "2 hộp 250.000đ, 0912345678 gọi 17h30"})).json()

    assert [(one["e164"], one["kind"], one["operator"]) for one in vi["numbers"]] == [
        ("+84382345678", "mobile", "Viettel"),
        ("+84912345678", "mobile", "VinaPhone"),
        ("+842438251234", "landline", "Hà Nội"),
    ]
    assert "đổi đầu số 11 số cũ sang đầu số từ năm 2018" in [step["text"] for step in vi["numbers"][0]["steps"]]
    assert "read o or O as 0" in [step["text"] for step in en["numbers"][1]["steps"]]
    assert [one["typed"] for one in vi["ignored"]] == ["079123456789"]
    assert (none["numbers"], none["problem"]["code"]) == ([], "no_digits")
    assert [one["e164"] for one in priced["numbers"]] == ["+84912345678"]
    assert [(one["typed"], one["code"]) for one in priced["ignored"]] == [
        ("2", "too_short"),
        ("250.000đ", "too_short"),
        ("17h30", "too_short"),
    ]


async def test_sources_are_listed_by_channel_marketer_campaign_and_whether_they_are_in_use(leads: Running) -> None:
    admin = await leads.client()
    for name, fields in {
        "CRM": {"channel": "api", "marketer": "MKT01", "campaign": "t11"},
        "Tổng đài": {"channel": "hotline", "marketer": "MKT01"},
        "CRM cũ": {"channel": "api", "active": False},
    }.items():
        assert (await admin.post("/v1/sources", json={"name": name, **fields})).status_code == 201
    await landing_page(admin, marketer="MKT01")

    async def listed(path: str = "sources", **filters: Any) -> list[str]:
        return [one["name"] for one in (await admin.get(f"/v1/{path}", params=filters)).json()["items"]]

    assert await listed() == ["CRM", "Tổng đài", "CRM cũ"]
    assert await listed(channel="api") == ["CRM", "CRM cũ"]
    assert await listed(channel="api", active=True) == ["CRM"]
    assert await listed(marketer="MKT01") == ["CRM", "Tổng đài"]
    assert await listed(campaign="t11") == ["CRM"]
    assert await listed("landing-pages", marketer="MKT01") == ["serum-30"]
    assert await listed("landing-pages", marketer="MKT02") == []


async def test_what_no_text_can_hold_and_pages_beyond_all_pages_are_refused_by_name(leads: Running) -> None:
    admin = await leads.client()

    answers = [
        await admin.post("/v1/sources", json={"name": "Tổng\u0000đài", "channel": "hotline"}),
        await admin.get("/v1/sources", params={"marketer": "MKT\0"}),
        await admin.get("/v1/raw-items", params={"reason": "\0"}),
        await admin.post("/v1/campaigns", json={"code": "t11\0", "name": "Tháng 11"}),
        await admin.get("/v1/leads", params={"campaign": "\0"}),
    ]
    beyond = await admin.get("/v1/settings/duplicates/history", params={"after": 2**31})

    assert [(one.status_code, one.json()["title"]) for one in answers] == [(422, "text-unstorable")] * len(answers)
    assert "NUL (\\u0000)" in answers[0].json()["detail"]
    assert (await admin.get("/v1/sources")).json()["items"] == []
    assert (beyond.status_code, beyond.json()["errors"][0]["field"]) == (422, "query.after")
