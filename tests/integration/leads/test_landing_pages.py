"""Landing pages: their management, and the forms that they send."""

from __future__ import annotations

from typing import Any

import httpx
from sqlalchemy import text

from tests.harness import Running


async def landing_page(client: httpx.AsyncClient, **fields: Any) -> tuple[dict[str, Any], str]:
    """A landing page and the path of its hook."""
    made = await client.post("/v1/landing-pages", json={"name": "serum-30", "product": "SERUM-30", **fields})
    assert made.status_code == 201, made.text
    key = await client.post(f"/v1/landing-pages/{made.json()['id']}/key")
    return dict(made.json()), str(key.json()["path"])


async def test_a_form_becomes_a_lead_credited_to_the_pages_marketer(leads: Running) -> None:
    admin = await leads.client()
    _, hook = await landing_page(
        admin,
        marketer="MKT00",
        field_map={"form_item3209": "note"},
        utm_rules=[{"parameter": "utm_source", "value": "fb_an", "marketer": "MKT01"}],
        consent_text="Tôi đồng ý được gọi",
    )
    visitor = await leads.anonymous()
    link = "https://shop.example/serum?utm_source=fb_an&utm_campaign=thang11"

    as_json = await visitor.post(
        hook, json={"name": "Lan", "phone": "0912345678", "form_item3209": "gấp", "link": link}
    )
    as_form = await visitor.post(hook, data={"ho_ten": "Hoa", "sdt": "0168 234 5678"})

    in_parts = await visitor.post(hook, files={"Số điện thoại": (None, "0987 654 321"), "ảnh": ("a.png", b"\0\1")})

    assert [as_json.status_code, as_form.status_code, in_parts.status_code] == [200, 200, 200]
    first, second, third = [event["payload"] for event in await leads.outbox("leads.lead.accepted.v1")]
    assert (first["name"], first["note"], first["product"]) == ("Lan", "gấp", "SERUM-30")
    assert first["source"] == {
        "channel": "landing_page",
        "campaign": "thang11",
        "landing_page": "serum-30",
        "marketer": "MKT01",
    }
    assert (first["consent_text"], first["consent_page"]) == ("Tôi đồng ý được gọi", link)
    assert (second["phone"], second["source"]["marketer"]) == ("+84382345678", "MKT00")
    assert third["phone"] == "+84987654321"


async def test_fields_that_mean_nothing_to_us_are_kept_in_the_raw_item(leads: Running) -> None:
    admin = await leads.client()
    _, hook = await landing_page(admin)
    visitor = await leads.anonymous()

    form = await visitor.post(hook, data={"sdt": "0912345678", "cung_hoàng_đạo": "Bọ Cạp"})
    typed = await admin.post("/v1/leads", json={"phone": "0987654321", "chieu_cao": "1m60"})

    assert [form.status_code, typed.status_code] == [200, 201]
    items = (await admin.get("/v1/raw-items")).json()["items"]
    bodies = [(await admin.get(f"/v1/raw-items/{item['id']}")).json()["body"] for item in items]
    assert sum("1m60" in body for body in bodies) == 1
    assert sum("B%E1%BB%8D+C%E1%BA%A1p" in body or "Bọ Cạp" in body for body in bodies) == 1


async def test_a_form_that_is_no_lead_is_kept_with_its_reason(leads: Running) -> None:
    admin = await leads.client()
    _, hook = await landing_page(admin)
    visitor = await leads.anonymous()
    bodies = [
        (b"\xff\xfe\x00 garbage", "application/octet-stream"),
        (b'{"name": "Lan"}', "application/json"),
        ("phone=0912&name=Lan 🙂\0".encode(), "application/x-www-form-urlencoded"),
    ]

    answers = [await visitor.post(hook, content=body, headers={"Content-Type": kind}) for body, kind in bodies]

    assert [answer.status_code for answer in answers] == [202] * 3
    assert [answer.json()["reason"] for answer in answers] == [
        "body_unreadable",
        "phone_field_missing",
        "phone_missing_digits",
    ]
    assert "Khai báo trường nào là số điện thoại" in answers[1].json()["message"]
    kept = await leads.rows("SELECT id, body FROM raw_items ORDER BY id")
    assert [bytes(row.body) for row in kept] == [body for body, _ in bodies]
    listed = (await admin.get("/v1/raw-items", params={"verdict": "rejected"})).json()["items"]
    assert [one["id"] for one in listed] == [answer.json()["id"] for answer in reversed(answers)]
    assert listed[1]["body"] == '{"name": "Lan"}'


async def test_a_wrong_key_says_nothing_and_keeps_nothing(leads: Running) -> None:
    admin = await leads.client()
    page, hook = await landing_page(admin)
    visitor = await leads.anonymous()
    form = {"phone": "0912345678"}

    guessed = await visitor.post("/v1/hooks/landing/" + "x" * 32, json=form)
    by_id = await visitor.post(f"/v1/hooks/landing/{page['id']}", json=form)
    key = hook.rsplit("/", 1)[1]
    elsewhere = await visitor.post("/v1/leads", json=form, headers={"X-Api-Key": key})

    assert [guessed.status_code, by_id.status_code, elsewhere.status_code] == [404, 404, 401]
    assert guessed.json()["detail"] == by_id.json()["detail"]
    assert await leads.rows("SELECT 1 FROM raw_items") == []


async def test_a_new_key_ends_the_one_before(leads: Running, monkeypatch: Any) -> None:
    monkeypatch.setattr("services.leads.sources.FRESH", 0.0)
    admin = await leads.client()
    page, old = await landing_page(admin)
    visitor = await leads.anonymous()
    assert (await visitor.post(old, json={"phone": "0912345678"})).status_code == 200

    new = (await admin.post(f"/v1/landing-pages/{page['id']}/key")).json()["path"]

    assert (await visitor.post(old, json={"phone": "0912345679"})).status_code == 404
    assert (await visitor.post(new, json={"phone": "0912345679"})).status_code == 200


async def test_keys_are_not_in_the_database(leads: Running) -> None:
    admin = await leads.client()
    _, hook = await landing_page(admin)
    key = hook.rsplit("/", 1)[1]
    visitor = await leads.anonymous()
    await visitor.post(hook, json={"phone": "0912345678"}, headers={"Idempotency-Key": "k"})

    tables = await leads.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in tables:
        rows = await leads.rows(f"SELECT t::text AS row FROM {table.tablename} t")
        assert not any(key in row.row for row in rows)


async def test_an_integrator_sends_leads_with_the_key_of_its_source(leads: Running) -> None:
    admin = await leads.client()
    source = (
        await admin.post(
            "/v1/sources", json={"name": "CRM cũ", "channel": "api", "marketer": "MKT01", "campaign": "cũ"}
        )
    ).json()
    key = (await admin.post(f"/v1/sources/{source['id']}/key")).json()["key"]
    integrator = await leads.anonymous()

    made = await integrator.post("/v1/leads", json={"phone": "0912345678"}, headers={"X-Api-Key": key})

    assert made.status_code == 201
    (event,) = await leads.outbox()
    assert event["payload"]["source"] == {
        "channel": "api",
        "campaign": "cũ",
        "landing_page": "",
        "marketer": "MKT01",
    }


async def test_a_colleague_names_the_source_of_a_typed_lead(leads: Running) -> None:
    admin = await leads.client()
    bought = {"name": "Danh sách mua", "channel": "referral", "asked_to_be_called": False}
    source = (await admin.post("/v1/sources", json=bought)).json()

    known = await admin.post("/v1/leads", json={"phone": "0912345678", "source_id": source["id"]})
    unknown = await admin.post(
        "/v1/leads", json={"phone": "0912345679", "source_id": "01930000-0000-7000-8000-000000000000"}
    )

    assert (known.status_code, unknown.json()["title"]) == (201, "source-unknown")
    (event,) = await leads.outbox()
    assert (event["payload"]["source"]["channel"], event["payload"]["asked_to_be_called"]) == ("referral", False)


async def test_sources_are_edited_from_the_version_that_was_seen(leads: Running) -> None:
    admin = await leads.client()
    page, _ = await landing_page(admin)
    url = f"/v1/landing-pages/{page['id']}"
    seen = await admin.get(url)
    body = {"name": "serum-60", "field_map": {"f1": "phone"}}

    changed = await admin.put(url, json=body, headers={"If-Match": seen.headers["etag"]})
    stale = await admin.put(url, json=body, headers={"If-Match": seen.headers["etag"]})
    wrong = await admin.put(
        url, json={**body, "field_map": {"f1": "số"}}, headers={"If-Match": changed.headers["etag"]}
    )
    twice = await admin.post("/v1/sources", json={"name": "serum-60", "channel": "hotline"})

    assert [changed.status_code, stale.status_code, wrong.status_code] == [200, 412, 422]
    assert changed.json()["field_map"] == {"f1": "phone"}
    assert twice.json()["title"] == "source-name-taken"
    assert [one["id"] for one in (await admin.get("/v1/landing-pages")).json()["items"]] == [page["id"]]
    assert (await admin.get("/v1/sources")).json()["items"] == []


async def test_the_same_form_sent_twice_is_one_arrival_and_another_of_the_customer_is_a_duplicate(
    leads: Running,
) -> None:
    admin = await leads.client()
    _, hook = await landing_page(admin)
    visitor = await leads.anonymous()
    form = {"name": "Lan", "phone": "0912345678"}
    link = "https://shop.example/serum?utm_source=fb&fbclid="

    first = (await visitor.post(hook, json={**form, "link": link + "a"})).json()
    twins = [
        await visitor.post(hook, json={**form, "link": link + "b", "sent_at": "10:00:01"}),
        await visitor.post(hook, data={**form, "phone": "+84 912 345 678"}),
    ]
    another = (await visitor.post(hook, json={**form, "message": "cho em 2 hộp"})).json()
    unread = [(await visitor.post(hook, data={"phone": "0912"})).json()["id"] for _ in range(2)]

    assert [twin.json() for twin in twins] == [first] * 2
    assert [twin.headers["idempotent-replayed"] for twin in twins] == ["true"] * 2
    assert (another["verdict"], another["anchor_id"]) == ("duplicate", first["id"])
    assert unread[0] == unread[1]
    assert len(await leads.rows("SELECT 1 FROM raw_items")) == 3


async def test_the_same_form_later_is_the_customer_asking_again(leads: Running) -> None:
    admin = await leads.client()
    _, hook = await landing_page(admin)
    visitor = await leads.anonymous()
    form = {"name": "Lan", "phone": "0912345678"}
    first = (await visitor.post(hook, json=form)).json()
    async with leads.db.transaction() as session:
        await session.execute(text("UPDATE idempotency_keys SET created_at = created_at - interval '6 minutes'"))

    later = (await visitor.post(hook, json=form)).json()

    assert (later["verdict"], later["anchor_id"]) == ("duplicate", first["id"])


async def test_a_sender_with_headers_needs_no_key_in_the_address(leads: Running) -> None:
    admin = await leads.client()
    _, hook = await landing_page(admin)
    key = hook.rsplit("/", 1)[1]
    visitor = await leads.anonymous()
    form = {"phone": "0912345678"}

    taken = await visitor.post("/v1/hooks/landing", json=form, headers={"X-Api-Key": key})
    refused = [
        await visitor.post("/v1/hooks/landing", json=form, headers={"X-Api-Key": "x" * 32}),
        await visitor.post("/v1/hooks/landing", json=form),
    ]

    assert (taken.status_code, taken.json()["verdict"]) == (200, "lead")
    refused.append(await visitor.post("/v1/leads", json=form, headers={"X-Api-Key": "x" * 32}))
    assert [answer.status_code for answer in refused] == [401, 401, 401]
    counted = (await visitor.get("/metrics")).text
    for way in ("landing_page", "api"):
        assert f'chot_leads_hook_refused_total{{way="{way}"}}' in counted


async def test_hostile_forms_are_refused_by_size_or_kept_and_stored_clean(leads: Running) -> None:
    admin = await leads.client()
    _, hook = await landing_page(admin)
    visitor = await leads.anonymous()

    large = await visitor.post(hook, content=b"phone=0912345678&note=" + b"x" * 2**20)
    hostile = await visitor.post(
        hook,
        content=b"phone=0912345678&name=%EF%BB%BFLan%00%FF%E2%80%AE%F0%9F%99%82&message=%3DHYPERLINK(1)",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert (large.status_code, hostile.status_code) == (413, 200)
    (row,) = await leads.rows("SELECT l.name, l.note, r.body, r.remote_ip FROM leads l JOIN raw_items r USING (id)")
    assert (row.note, row.remote_ip) == ("=HYPERLINK(1)", "127.0.0.1")
    assert row.name.endswith("🙂")
    assert not {"\u0000", "\u202e"} & set(row.name)
    assert b"%00%FF" in bytes(row.body), "kept as it came"
