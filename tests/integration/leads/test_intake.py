"""One lead after another, and many at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from structlog.testing import capture_logs

from tests.harness import Running, eventually

SPELLINGS = (
    "0912345678",
    "+84912345678",
    "84912345678",
    "0084912345678",
    "0912 345 678",
    "0912.345.678",
    "0912-345-678",
    "(091) 234 5678",
    "O912345678",
    "０９１２３４５６７８",
    "912345678",
    "+84 (0) 912 345 678",
)


async def post(client: httpx.AsyncClient, phone: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/leads", json={"phone": phone, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_lead_is_a_raw_item_a_lead_and_an_event(leads: Running) -> None:
    client = await leads.client("leads.create", code="NV007", department="marketing")

    made = await post(client, "0168 234 5678 / 0912345678", name=" Lan ", product="SERUM-30", note="Gọi tối 🙂")

    assert (made["verdict"], made["level"], made["anchor_id"]) == ("lead", "L1", None)
    (event,) = await leads.outbox()
    assert (event["type"], event["subject"]) == ("leads.lead.accepted.v1", made["id"])
    data = event["payload"]
    assert (data["phone"], data["other_phones"]) == ("+84382345678", ["+84912345678"])
    assert (data["name"], data["product"], data["note"]) == ("Lan", "SERUM-30", "Gọi tối 🙂")
    assert (data["source"]["channel"], data["source"]["marketer"]) == ("manual", "NV007")
    (raw,) = await leads.rows("SELECT id, body, verdict FROM raw_items")
    assert (str(raw.id), raw.verdict) == (made["id"], "lead")
    assert b"0168 234 5678" in bytes(raw.body)


async def test_200_posts_of_one_number_leave_one_lead_and_199_duplicates_linked_to_it(leads: Running) -> None:
    client = await leads.client("leads.create")

    made = await asyncio.gather(*(post(client, SPELLINGS[place % 12]) for place in range(200)))

    assert Counter(one["verdict"] for one in made) == {"lead": 1, "duplicate": 199}
    (lead,) = [one for one in made if one["verdict"] == "lead"]
    assert {one["anchor_id"] for one in made if one["verdict"] == "duplicate"} == {lead["id"]}
    assert Counter(event["type"] for event in await leads.outbox()) == {
        "leads.lead.accepted.v1": 1,
        "leads.lead.duplicated.v1": 199,
    }
    assert {event["payload"].get("anchor_id", lead["id"]) for event in await leads.outbox()} == {lead["id"]}


async def test_many_writers_of_the_same_numbers_neither_deadlock_nor_double(leads: Running, databases: Any) -> None:
    from services.leads.app import SERVICE
    from tests.harness import running

    # A second process of the service, with a batcher and connections of its own.
    async with running(SERVICE, databases, database_url=leads.url) as second:
        clients = [await one.client("leads.create") for one in (leads, second)]
        numbers = [f"09123456{place:02}" for place in range(40)]
        pairs = [(first, second) for first in numbers for second in (numbers[-1], numbers[0])]
        made = await asyncio.gather(
            *(
                post(clients[place % 2], first, other_phone=other if place % 3 else "")
                for place, (first, other) in enumerate(pairs * 3)
            )
        )

    clean = [UUID(one["id"]) for one in made if one["verdict"] == "lead"]
    held = await leads.rows("SELECT phone, anchor_id FROM duplicate_windows WHERE anchor_id IS NOT NULL")
    assert {row.anchor_id for row in held} == set(clean)
    rows = await leads.rows("SELECT id, phone, other_phones FROM leads WHERE verdict = 'lead'")
    taken = Counter(phone for row in rows for phone in {row.phone, *row.other_phones})
    assert set(taken.values()) == {1}


async def test_an_unreadable_number_is_answered_with_what_to_correct_and_kept(leads: Running) -> None:
    client = await leads.client("leads.create")

    vi = await client.post("/v1/leads", json={"phone": "091234567"})
    en = await client.post("/v1/leads", json={"phone": "1900 1234"}, headers={"Accept-Language": "en"})

    assert (vi.status_code, vi.json()["title"], vi.json()["code"]) == (422, "phone-unreadable", "phone_missing_digits")
    assert vi.json()["detail"] == "Số điện thoại thiếu 1 chữ số. Kiểm tra lại rồi lưu."
    assert "hotline" in en.json()["detail"]
    assert vi.headers["content-type"] == "application/problem+json"
    rows = await leads.rows("SELECT id, reason, reason_vi FROM raw_items WHERE verdict = 'rejected' ORDER BY id")
    assert [str(row.id) for row in rows] == [vi.json()["raw_item_id"], en.json()["raw_item_id"]]
    assert await leads.outbox() == []


async def test_a_repeated_request_has_one_effect_and_one_answer(leads: Running) -> None:
    client = await leads.client("leads.create")

    def send(phone: str, key: str) -> Any:
        return client.post("/v1/leads", json={"phone": phone}, headers={"Idempotency-Key": key})

    answers = await asyncio.gather(*(send("0912345678", "k1") for _ in range(20)), send("0987654321", "k2"))
    later = await send("0912345678", "k1")
    other = await send("0912345679", "k1")

    assert len({answer.json()["id"] for answer in [*answers[:20], later]}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in [*answers[:20], later]) == 1
    assert answers[20].json()["id"] != later.json()["id"]
    assert (other.status_code, other.json()["title"]) == (422, "idempotency-key-reused")
    assert len(await leads.rows("SELECT 1 FROM raw_items")) == 2


async def test_two_bodies_under_one_key_at_once_give_one_lead_and_one_refusal(leads: Running) -> None:
    client = await leads.client("leads.create")

    first, second = await asyncio.gather(
        *(
            client.post("/v1/leads", json={"phone": phone}, headers={"Idempotency-Key": "k"})
            for phone in ("0912345678", "0987654321")
        )
    )

    assert sorted([first.status_code, second.status_code]) == [201, 422]
    assert len(await leads.rows("SELECT 1 FROM leads")) == 1


async def test_a_rejection_is_repeated_under_its_key_too(leads: Running) -> None:
    client = await leads.client("leads.create")

    answers = [
        await client.post("/v1/leads", json={"phone": "abc"}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["content-type"] == "application/problem+json"
    assert len(await leads.rows("SELECT 1 FROM raw_items")) == 1


async def test_texts_from_hostile_keyboards_are_stored_clean(leads: Running) -> None:
    client = await leads.client("leads.create")

    await post(client, "0912345678", name="La\u0000n \u202etxt.exe", note="dòng 1\ndòng 2 🧑‍🌾", address="=1+1")

    (row,) = await leads.rows("SELECT name, note, address FROM leads")
    assert (row.name, row.note, row.address) == ("Lan txt.exe", "dòng 1\ndòng 2 🧑‍🌾", "=1+1")


async def test_a_poisoned_arrival_is_kept_and_takes_no_other_down(leads: Running, monkeypatch: Any) -> None:
    from services.leads import events

    original = events.accepted

    def accepted(items: Any, candidates: Any, *args: Any, **kwargs: Any) -> Any:
        if any(candidate.name == "poison" for candidate in candidates):
            raise ValueError("a mistake of ours")
        return original(items, candidates, *args, **kwargs)

    monkeypatch.setattr(events, "accepted", accepted)
    client = await leads.client("leads.create")

    async def send(place: int) -> httpx.Response:
        name = "poison" if place == 7 else "Lan"
        return await client.post("/v1/leads", json={"phone": f"09123456{place:02}", "name": name})

    with capture_logs() as logged:
        answers = await asyncio.gather(*(send(place) for place in range(30)))

    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["arrival could not be taken in"]
    assert [answer.status_code for answer in answers] == [202 if place == 7 else 201 for place in range(30)]
    assert answers[7].json()["reason"] == "internal"
    assert len(await leads.rows("SELECT 1 FROM leads")) == 29
    assert [row.reason for row in await leads.rows("SELECT reason FROM raw_items WHERE verdict = 'rejected'")] == [
        "internal"
    ]


async def test_a_body_of_the_wrong_form_names_the_field(leads: Running) -> None:
    client = await leads.client("leads.create")

    answers = [
        await client.post("/v1/leads", json={"name": "Lan"}),
        await client.post("/v1/leads", content=b"\xff{", headers={"Content-Type": "application/json"}),
        await client.post("/v1/leads", json={"phone": "0912345678", "source_id": "x"}),
        await client.post("/v1/leads", json={"phone": ["0912345678"]}),
    ]

    assert [answer.status_code for answer in answers] == [422] * 4
    assert answers[0].json()["errors"][0]["field"] == "body.phone"
    assert await leads.rows("SELECT 1 FROM raw_items") == []


async def test_creating_needs_its_permission(leads: Running) -> None:
    nobody = await (await leads.anonymous()).post("/v1/leads", json={"phone": "0912345678"})
    reader = await (await leads.client("leads.read")).post("/v1/leads", json={"phone": "0912345678"})
    wrong_key = await (await leads.anonymous()).post(
        "/v1/leads", json={"phone": "0912345678"}, headers={"X-Api-Key": "guess"}
    )

    assert [nobody.status_code, reader.status_code, wrong_key.status_code] == [401, 403, 401]


async def test_every_2xx_is_a_lead_while_connections_to_the_database_break(leads: Running) -> None:
    client = await leads.client("leads.create")
    answers: list[httpx.Response] = []

    async def send(numbers: Iterator[int]) -> None:
        for number in numbers:
            answer = await client.post("/v1/leads", json={"phone": f"09{number:08}"})
            answers.append(answer)

    async def break_connections() -> None:
        killer = await asyncpg.connect(leads.url)
        for progress in range(40, 400, 40):

            async def got_on(progress: int = progress) -> bool:
                return len(answers) >= progress

            await eventually(got_on, every=0.001)
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await killer.close()

    numbers = iter(range(400))
    await asyncio.gather(break_connections(), *(send(numbers) for _ in range(16)))

    told = Counter(answer.status_code for answer in answers)
    assert set(told) <= {201, 503}, "refused or taken in, nothing else"
    assert told[201] > 0
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 503)
    stored = {str(row.id) for row in await leads.rows("SELECT id FROM leads")}
    assert {answer.json()["id"] for answer in answers if answer.status_code == 201} <= stored
    assert len(await leads.outbox("leads.lead.accepted.v1")) == len(stored)
