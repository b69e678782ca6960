"""Care processes as their manager edits them: drafts, the checker, publishing, retiring, what differs."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.integration.orders.support import Shop, idempotency_key

KEY = "cod_standard"
BASE = "/v1/care-processes"


class Draft:
    """A draft as an editor's page holds it: the body, and the ETag of the last load or save."""

    def __init__(self, shop: Shop, answer: httpx.Response, *, key: str = KEY) -> None:
        assert answer.status_code == 201, answer.text
        self.client = shop.admin.client
        self.url = f"{BASE}/{key}/drafts/{answer.json()['id']}"
        self.etag = '"1"'

    @classmethod
    async def begin(cls, shop: Shop, *, key: str = KEY, **fields: Any) -> Draft:
        return cls(shop, await shop.admin.client.post(f"{BASE}/{key}/drafts", json=fields), key=key)

    async def load(self) -> dict[str, Any]:
        return dict((await self.client.get(self.url)).json())

    async def save(self, process: dict[str, Any]) -> dict[str, Any]:
        return self._saved(await self.client.put(self.url, json={"process": process}, headers=self.match))

    async def step(self, name: str, **edit: Any) -> dict[str, Any]:
        return self._saved(await self.client.put(f"{self.url}/steps/{name}", json=edit, headers=self.match))

    async def publish(self, **fields: Any) -> httpx.Response:
        body = {"note": "thử", **fields}
        return await self.client.post(f"{self.url}/publish", json=body, headers=self.match)

    @property
    def match(self) -> dict[str, str]:
        return {"If-Match": self.etag}

    def _saved(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        self.etag = answer.headers["ETag"]
        return dict(answer.json())


async def quicker(shop: Shop, after: str = "30m") -> Draft:
    """A draft in which the second try comes sooner."""
    draft = await Draft.begin(shop)
    body = (await draft.load())["process"]
    body["steps"]["no_answer_2"]["due"] = {"after": after}
    await draft.save(body)
    return draft


async def test_the_seed_stands_with_its_reasons_and_its_steps_in_order(shop: Shop) -> None:
    (item,) = (await shop.sale.client.get(BASE)).json()["items"]
    assert (item["key"], item["latest"], item["published_by"]) == (KEY, 3, "seed")
    body = (await shop.sale.client.get(f"{BASE}/{KEY}/versions/3")).json()["process"]
    assert list(body["steps"])[:3] == ["first_call", "no_answer_2", "no_answer_3"]
    assert list(body["results"])[:2] == ["closed", "call_later"]
    assert body["reasons"]["steps.callback"]["vi"].startswith("Khách đã hẹn giờ")
    assert all(f"steps.{step}" in body["reasons"] for step in body["steps"])


async def test_a_draft_begins_with_the_newest_version_and_what_is_loaded_can_be_saved_as_it_is(shop: Shop) -> None:
    draft = await Draft.begin(shop)
    loaded = await draft.load()
    assert (loaded["based_on"], loaded["state"], loaded["sound"]) == (3, "open", True)
    saved = await draft.save(loaded["process"])
    assert saved["process"] == loaded["process"]
    assert (await draft.client.get(f"{draft.url}/diff")).json()["changes"] == []
    assert (await draft.publish()).json()["title"] == "nothing-changed"


async def test_a_draft_from_nothing_is_a_sound_process_of_its_own(shop: Shop) -> None:
    draft = await Draft.begin(shop, key="cosmetics", name={"vi": "Mỹ phẩm", "en": "Cosmetics"})
    loaded = await draft.load()
    assert (loaded["based_on"], loaded["sound"], loaded["process"]["name"]["vi"]) == (None, True, "Mỹ phẩm")
    assert (await draft.publish()).json() == {"key": "cosmetics", "version": 1}
    assert [item["key"] for item in (await draft.client.get(BASE)).json()["items"]] == [KEY, "cosmetics"]


async def test_only_who_may_edit_sees_drafts_and_only_who_may_publish_publishes(shop: Shop) -> None:
    draft = await quicker(shop)
    assert (await shop.sale.client.get(draft.url)).status_code == 403
    assert (await shop.manager.client.get(draft.url)).status_code == 200
    refused = await shop.manager.client.post(f"{draft.url}/publish", json={"note": "thử"}, headers=draft.match)
    assert refused.json()["permission"] == "orders.process.publish"


async def test_of_two_who_save_at_once_the_second_hears_of_the_first(shop: Shop) -> None:
    draft = await Draft.begin(shop)
    body = (await draft.load())["process"]
    answers = await asyncio.gather(
        *(draft.client.put(draft.url, json={"process": body}, headers={"If-Match": '"1"'}) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert (await draft.client.put(draft.url, json={"process": body})).status_code == 428


async def test_the_history_of_saves_tells_who_did_what_and_keeps_each_body(shop: Shop) -> None:
    draft = await quicker(shop)
    await draft.step("callback", step=(await draft.load())["process"]["steps"]["callback"] | {"max": 4})
    saves = (await draft.client.get(f"{draft.url}/saves")).json()["items"]
    assert [(each["version"], each["what"], each["by_code"]) for each in saves] == [
        (3, "step callback", "AD01"),
        (2, "saved", "AD01"),
        (1, "created", "AD01"),
    ]
    first = (await draft.client.get(f"{draft.url}/saves/1")).json()["process"]
    assert first["steps"]["no_answer_2"]["due"] == {"after": "1h"}


async def test_a_misspelt_field_is_named_and_nothing_is_saved(shop: Shop) -> None:
    draft = await Draft.begin(shop)
    body = (await draft.load())["process"]
    body["steps"]["callback"]["graze"] = "15m"
    refused = await draft.client.put(draft.url, json={"process": body}, headers=draft.match)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["body.process.steps.callback.graze"]
    assert (await draft.load())["version"] == 1


async def test_a_step_is_added_with_its_results_and_reasons(shop: Shop) -> None:
    draft = await Draft.begin(shop)
    callback = (await draft.load())["process"]["steps"]["callback"]
    answers = dict.fromkeys(["closed", "not_buying", "spam"], "closed") | {"spam": {"to": "wrong", "mark": "spam"}}
    saved = await draft.step(
        "payday",
        step=callback | {"name": {"vi": "Chờ lương", "en": "Pay day"}},
        results=answers,
        reasons={"": {"vi": "Ngày lương", "en": "Pay day"}, "grace": {"vi": "Cả buổi", "en": "Half a day"}},
    )
    shown = {result: goes if isinstance(goes, dict) else {"to": goes} for result, goes in answers.items()}
    assert saved["process"]["rules"][-1] == {"at": ["payday"], "results": shown}
    assert saved["process"]["reasons"]["steps.payday.grace"]["en"] == "Half a day"
    found = {(each["code"], each["where"]): each for each in saved["findings"]}
    assert ("unreachable", "steps.payday") in found
    assert "Nothing is said for the results call_later" in found["no_answer_to_result", "rules.payday"]["en"]


async def test_a_step_that_is_edited_keeps_other_steps_out_of_its_results(shop: Shop) -> None:
    draft = await Draft.begin(shop)
    process = (await draft.load())["process"]
    table = {"busy": "busy_retry", "no_answer": "pool", "switched_off": "pool"} | process["rules"][0]["results"]
    saved = await draft.step("no_answer_6", step=process["steps"]["no_answer_6"], results=table)
    assert saved["sound"]
    changes = (await draft.client.get(f"{draft.url}/diff")).json()["changes"]
    assert {change["en"] for change in changes} == {
        "Step “Sixth try”, result “No answer”: the next try → “Floating pool”.",
        "Step “Sixth try”, result “Switched off”: the try after the next → “Floating pool”.",
    }


async def test_what_still_leads_to_a_removed_step_is_named_with_its_path(shop: Shop) -> None:
    draft = await Draft.begin(shop)
    removed = await draft.client.delete(f"{draft.url}/steps/thinking", headers=draft.match)
    finding = next(each for each in removed.json()["findings"] if each["where"] == "rules.0.results.thinking")
    assert (finding["code"], finding["path"]) == ("unknown_step", ["first_call"])
    assert finding["path_vi"] == "Gọi lần đầu → [Đang suy nghĩ]"


async def test_a_process_with_faults_is_saved_with_hints_and_not_published(shop: Shop) -> None:
    draft = await Draft.begin(shop)
    body = (await draft.load())["process"]
    body["steps"]["pool"]["timeout"] = None
    saved = await draft.save(body)
    assert not saved["sound"]
    checked = (await draft.client.post(f"{draft.url}/check")).json()
    assert checked["findings"] == saved["findings"]
    refused = await draft.publish()
    assert (refused.status_code, refused.json()["title"]) == (422, "process-unsound")
    finding = next(each for each in refused.json()["findings"] if each["code"] == "no_timer")
    assert finding["path"] == ["first_call", "pool"]
    assert (await draft.client.get(f"{BASE}/{KEY}/versions")).json()["items"][0]["version"] == 3


async def test_a_move_of_levels_that_the_table_forbids_is_found(shop: Shop) -> None:
    async with shop.service.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "DELETE FROM level_transitions WHERE from_level = 'L1.4' AND to_level = 'L1.6'"
        )
    draft = await quicker(shop)
    checked = (await draft.client.post(f"{draft.url}/check")).json()
    finding = next(each for each in checked["findings"] if each["code"] == "forbidden_move")
    assert "L1.4 to L1.6" in finding["en"]
    assert finding["path_en"].endswith("→ [Will buy later] → Call a customer who will buy later")


async def test_a_hint_does_not_refuse(shop: Shop) -> None:
    draft = await Draft.begin(shop)
    body = (await draft.load())["process"]
    body["steps"]["first_call"]["grace"] = "9h"
    saved = await draft.save(body)
    assert saved["sound"]
    assert {(each["code"], each["severity"]) for each in saved["findings"]} == {
        ("sla_longer_than_shift", "warning"),
        ("taken_before_broken", "warning"),
    }
    assert (await draft.publish()).status_code == 201


async def test_what_is_published_is_the_newest_version_and_care_begins_with_it(shop: Shop) -> None:
    before = await shop.number()
    draft = await quicker(shop)
    assert (await draft.publish(note="Gọi lại sớm hơn")).json() == {"key": KEY, "version": 4}
    after = await shop.number()
    versions = {order: (await shop.order(order))["care"]["process_version"] for order in (before, after)}
    assert versions == {before: 3, after: 4}
    newest = (await draft.client.get(f"{BASE}/{KEY}/versions")).json()["items"][0]
    assert (newest["version"], newest["note"], newest["published_by"], newest["based_on"], newest["running"]) == (
        4,
        "Gọi lại sớm hơn",
        "AD01",
        3,
        1,
    )
    words = (await draft.client.get(f"{BASE}/{KEY}/diff", params={"from": 3, "to": 4})).json()["changes"]
    assert [change["vi"] for change in words] == [
        "Bước “Gọi lại lần 2”: hạn sau 1 giờ (giờ gọi) → sau 30 phút (giờ gọi)."
    ]


async def test_of_two_who_publish_a_draft_at_once_one_wins(shop: Shop) -> None:
    draft = await quicker(shop)
    answers = await asyncio.gather(*(draft.publish() for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json().get("title") for answer in answers if answer.status_code == 409} == {"draft-closed"}
    assert [
        each.version for each in await shop.service.rows("SELECT max(version) AS version FROM process_versions")
    ] == [4]


async def test_publishing_is_repeated_under_its_key_with_the_same_answer(shop: Shop) -> None:
    draft = await quicker(shop)
    headers = draft.match | idempotency_key()
    answers = [await draft.client.post(f"{draft.url}/publish", json={"note": "a"}, headers=headers) for _ in range(2)]
    assert [answer.json() for answer in answers] == [{"key": KEY, "version": 4}] * 2


async def test_who_publishes_over_a_newer_version_has_to_say_that_they_saw_it(shop: Shop) -> None:
    older, newer = await quicker(shop, "30m"), await quicker(shop, "45m")
    assert (await newer.publish()).status_code == 201
    refused = await older.publish()
    assert (refused.json()["title"], refused.json()["latest"]) == ("newer-version", 4)
    changes = (await older.client.get(f"{older.url}/diff")).json()
    assert (changes["before"], len(changes["changes"])) == ("cod_standard@4", 1)
    assert (await older.publish(replaces=4)).json()["version"] == 5


async def test_a_discarded_draft_is_not_changed_any_more_and_is_listed_when_asked_for(shop: Shop) -> None:
    draft = await quicker(shop)
    assert (await draft.client.delete(draft.url, headers=draft.match)).status_code == 204
    assert (await draft.publish()).json()["title"] == "draft-closed"
    listing = f"{BASE}/{KEY}/drafts"
    assert (await draft.client.get(listing)).json()["items"] == []
    assert (await draft.client.get(listing, params={"closed": True})).json()["items"][0]["state"] == "discarded"


async def test_a_process_that_is_chosen_cannot_be_retired(shop: Shop) -> None:
    refused = await shop.admin.client.post(f"{BASE}/{KEY}/retire", json={"reason": "thử"})
    assert (refused.status_code, refused.json()["title"]) == (409, "process-in-use")


async def test_a_retired_process_takes_no_new_version_until_it_is_restored(shop: Shop) -> None:
    made = await Draft.begin(shop, key="gifts")
    await made.publish()
    draft = await Draft.begin(shop, key="gifts")
    body = (await draft.load())["process"]
    body["steps"]["no_answer_2"]["due"] = {"after": "2h"}
    await draft.save(body)
    url = f"{BASE}/gifts"
    assert (await draft.client.post(f"{url}/retire", json={"reason": "hết hàng"})).status_code == 204
    assert (await draft.publish()).json()["title"] == "process-retired"
    assert (await draft.client.post(f"{url}/restore")).status_code == 204
    assert (await draft.publish()).json()["version"] == 2


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("nothing_here/versions", "not-found"),
        (f"{KEY}/versions/99", "not-found"),
        (f"{KEY}/drafts/01890000-0000-7000-8000-000000000000", "not-found"),
        (f"{KEY}/diff?from=1&to=99", "not-found"),
    ],
)
async def test_what_does_not_exist_is_said(shop: Shop, path: str, title: str) -> None:
    answer = await shop.admin.client.get(f"{BASE}/{path}")
    assert (answer.status_code, answer.json()["title"]) == (404, title)


async def test_a_version_never_changes(shop: Shop) -> None:
    with pytest.raises(Exception, match="append-only"):
        await _update(shop)


async def _update(shop: Shop) -> None:
    async with shop.service.db.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE process_versions SET note = 'x'")


async def test_a_draft_says_what_holds_where_its_process_says_nothing(shop: Shop) -> None:
    draft = await Draft.begin(shop)
    assert (await draft.load())["defaults"] == {"snooze": {"at_most": "30m", "times": 3}, "promise_days": 35}
    body = (await draft.load())["process"]
    assert "snooze" not in body["steps"]["callback"]
    body["steps"]["callback"]["snooze"] = {"times": 1}
    body["reasons"]["steps.callback.snooze.*"] = {"vi": "Khách đang đợi", "en": "The customer waits"}
    saved = await draft.save(body)
    assert (saved["process"]["steps"]["callback"]["snooze"], saved["sound"]) == ({"times": 1}, True)
