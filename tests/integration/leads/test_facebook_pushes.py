"""The address that Facebook calls: handshake, signatures, and what is done with bodies of every sort."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.local.facebook.pushes import sign
from deploy.local.facebook.world import HandshakeFailed
from services.leads.api.facebook_hook import MAX_BODY
from tests.integration.leads.facebook_support import Shop, connection


def change(page: Shop, leadgen_id: object, **values: object) -> dict[str, Any]:
    value = {"leadgen_id": leadgen_id, "page_id": page.page.id, "form_id": page.form.id, "created_time": 1795226400}
    return {"field": "leadgen", "value": {**value, **values}}


def body(page: Shop, *changes: object, **further: object) -> bytes:
    entry = {"id": page.page.id, "time": 1795226400, "changes": list(changes)}
    return json.dumps({"object": "page", "entry": [entry], **further}).encode()


async def send(page: Shop, content: bytes) -> int:
    """A push with a right signature."""
    return (await page.push(content, signature=sign(content, page.world.settings.app_secret))).status_code


async def test_the_challenge_comes_back_as_plain_text_for_the_right_token_only(page: Shop) -> None:
    caller = await page.leads.anonymous()
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": page.verify_token}
    answer = await caller.get(page.callback_path, params=asked)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "ư"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"}):
        answer = await caller.get(page.callback_path, params={**asked, **wrong})
        assert (answer.status_code, answer.json()["title"]) == (403, "verification-failed")
    assert (await caller.get("/v1/hooks/facebook/guessed", params=asked)).status_code == 404


async def test_facebook_enters_the_address_only_if_the_handshake_works(page: Shop) -> None:
    await page.listen()
    assert page.world.sender.callback_url is not None
    with pytest.raises(HandshakeFailed):
        await page.world.enter_callback(page.world.sender.callback_url, "wrong")


@pytest.mark.parametrize("signature", [None, "", "sha256=", "sha256=00ff", "sha1=abc"])
async def test_a_push_that_facebook_did_not_sign_is_refused_and_counted(page: Shop, signature: str | None) -> None:
    answer = await page.push(body(page, change(page, 1)), signature=signature)
    assert (answer.status_code, answer.json()["title"]) == (403, "signature-wrong")
    assert (await page.figures())["wrong_signatures"] == 1
    assert await page.leads.rows("SELECT 1 FROM facebook_hooks") == []


async def test_a_signature_is_of_the_exact_bytes(page: Shop) -> None:
    content = body(page, change(page, 1))
    signature = sign(content, page.world.settings.app_secret)
    assert (await page.push(content + b" ", signature=signature)).status_code == 403
    assert (await page.push(content, signature=signature)).status_code == 200


async def test_a_batch_of_a_thousand_updates_in_several_entries_is_taken_whole(page: Shop) -> None:
    entries = [
        {
            "id": int(page.page.id),
            "time": 1795226400,
            "changes": [change(page, number if number % 2 else str(number)) for number in range(part, part + 100)],
        }
        for part in range(1000, 2000, 100)
    ]
    content = json.dumps({"object": "page", "entry": entries}).encode()
    assert await send(page, content) == 200
    assert await send(page, content) == 200, "the same batch again"
    await page.apply()
    seen = await page.leads_seen()
    assert sorted(int(lead["leadgen_id"]) for lead in seen) == list(range(1000, 2000))
    assert {lead["form_id"] for lead in seen} == {page.form.id}
    nudges = await page.leads.outbox("FacebookPageWorkflow")
    assert len(nudges) == 2, "one for the connection, one for the batch"
    assert "1000" not in str(nudges[1]["payload"]), "ids of leads stay in the database"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe{",
        b"[1, 2]",
        b'{"object": "page"}',
        b'{"object": "instagram", "entry": []}',
        b'{"object": "page", "entry": "x"}',
        b"[" * 100_000,
    ],
)
async def test_a_signed_body_that_cannot_be_read_is_kept_raised_and_answered_200(page: Shop, content: bytes) -> None:
    assert await send(page, content) == 200
    await page.apply()
    (raised,) = (await page.client.get("/v1/facebook/pushes")).json()["items"]
    assert raised["state"] == "unreadable"
    assert raised["error"]
    (row,) = await page.leads.rows("SELECT body FROM facebook_hooks")
    assert bytes(row.body) == content


async def test_what_is_readable_of_a_push_counts_and_the_rest_is_raised(page: Shop) -> None:
    strange = change(page, 77, page_id="999")
    await send(page, body(page, change(page, 5), change(page, None), change(page, True), {"field": "feed"}, 3, strange))
    await page.apply()
    assert [lead["leadgen_id"] for lead in await page.leads_seen()] == ["5"]
    (raised,) = (await page.client.get("/v1/facebook/pushes")).json()["items"]
    assert raised["error"] == "3 updates lack an id; pages that are not connected: 999"


async def test_one_address_serves_all_pages_of_an_app_and_none_of_another(page: Shop) -> None:
    second, foreign = page.world.add_page(), page.world.add_page()
    answer = await page.client.post("/v1/facebook/pages", json=connection(page.world, second))
    assert answer.status_code == 201
    other = connection(page.world, foreign, app_id="999")
    assert (await page.client.post("/v1/facebook/pages", json=other)).status_code == 201
    changes = [change(page, number, page_id=each.id) for number, each in ((1, second), (2, foreign))]
    await send(page, body(page, *changes))
    await page.apply()
    kept = await page.leads.rows(
        "SELECT l.leadgen_id, p.page_id FROM facebook_leads l JOIN facebook_pages p ON p.id = l.page_id"
    )
    assert [(row.leadgen_id, row.page_id) for row in kept] == [("1", second.id)]


async def test_pushes_about_a_page_that_is_connected_later_are_applied_then(page: Shop) -> None:
    later = page.world.add_page()
    await send(page, body(page, change(page, 1), change(page, 2, page_id=later.id)))
    await page.apply()
    assert [lead["leadgen_id"] for lead in await page.leads_seen()] == ["1"]
    await page.client.post("/v1/facebook/pages", json=connection(page.world, later))
    answer = await page.client.post("/v1/facebook/pushes/apply")
    assert (answer.status_code, answer.json()) == (202, {"pushes": 1})
    await page.apply()
    kept = await page.leads.rows("SELECT leadgen_id FROM facebook_leads ORDER BY leadgen_id")
    assert [row.leadgen_id for row in kept] == ["1", "2"]
    assert (await page.client.get("/v1/facebook/pushes")).json()["items"] == []


async def test_an_oversized_push_is_refused_by_name(page: Shop) -> None:
    content = body(page, change(page, 1), padding="x" * MAX_BODY)
    answer = await page.push(content, signature=sign(content, page.world.settings.app_secret))
    assert (answer.status_code, answer.json()["title"]) == (413, "too-large")


async def test_a_push_is_accepted_while_facebook_and_everything_behind_is_away(page: Shop) -> None:
    before = dict(page.world.stats.calls)
    assert await send(page, body(page, change(page, 9))) == 200
    assert page.world.stats.calls == before, "the Graph API is asked by nobody who accepts pushes"
    (row,) = await page.leads.rows("SELECT state FROM facebook_hooks")
    assert row.state == "received"
