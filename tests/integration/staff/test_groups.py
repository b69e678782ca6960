"""Groups of permissions, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts import permissions
from tests.integration.staff.company import Company, title

SALE_LEAD = {
    "name": "sale_lead",
    "label": {"vi": "Trưởng nhóm sale", "en": "Sales team leaders"},
    "permissions": ["orders.care", "leads.read", "orders.read"],
}


async def test_a_fresh_installation_has_the_seed_groups(company: Company) -> None:
    admin = await company.admin()
    page = (await admin.http.get("/v1/groups")).json()
    assert {item["name"]: set(item["permissions"]) for item in page["items"]} == {
        name: set(granted) for name, granted in permissions.SEED_GROUPS.items()
    }
    assert {item["name"]: item["members"] for item in page["items"]}["admin"] == 1
    assert all(item["label"]["vi"] and item["label"]["en"] for item in page["items"])
    assert page["next"] is None


async def test_groups_are_listed_page_by_page(company: Company) -> None:
    admin = await company.admin()
    first = (await admin.http.get("/v1/groups", params={"limit": 3})).json()
    second = (await admin.http.get("/v1/groups", params={"limit": 3, "after": first["next"]})).json()
    names = [item["name"] for page in (first, second) for item in page["items"]]
    assert names == sorted(permissions.SEED_GROUPS)


async def test_a_new_group_can_be_given_to_people(company: Company) -> None:
    admin = await company.admin()
    headers = {"Idempotency-Key": "sale-lead"}
    made = [await admin.http.post("/v1/groups", json=SALE_LEAD, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json()["permissions"] == ["leads.read", "orders.care", "orders.read"]
    lan = await company.hire(admin, "lan", group="sale_lead")
    assert (await lan.http.get("/v1/me")).json()["permissions"] == ["leads.read", "orders.care", "orders.read"]
    again = await admin.http.post("/v1/groups", json=SALE_LEAD)
    assert (again.status_code, title(again)) == (409, "group-taken")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "Trưởng nhóm"}, "group-name-malformed"),
    ({"name": "a\x00"}, "group-name-malformed"),
    ({"permissions": ["orders.fly"]}, "permission-unknown"),
    ({"permissions": ["\x00"]}, "permission-unknown"),
    ({"permissions": "orders.read"}, "invalid"),
    ({"label": {"vi": "Một"}}, "invalid"),
    ({"label": {"vi": "", "en": "One"}}, "invalid"),
    ({"label": "Một"}, "invalid"),
]


@pytest.mark.parametrize(("fields", "kind"), BAD, ids=[f"{kind}-{i}" for i, (_, kind) in enumerate(BAD)])
async def test_a_bad_group_is_refused_with_a_sentence_in_both_languages(
    lasting: Company, fields: dict[str, Any], kind: str
) -> None:
    admin = await lasting.admin()
    vietnamese = await admin.http.post("/v1/groups", json={**SALE_LEAD, **fields})
    english = await admin.http.post("/v1/groups", json={**SALE_LEAD, **fields}, headers={"Accept-Language": "en"})
    assert (vietnamese.status_code, title(vietnamese)) == (422, kind)
    assert vietnamese.json()["detail"] != english.json()["detail"]
    for error in vietnamese.json().get("errors", []):
        assert not error["message"].isascii(), error


async def test_an_edit_tells_of_all_members_and_ends_their_tokens_but_not_their_sessions(company: Company) -> None:
    admin = await company.admin()
    people = [await company.hire(admin, f"seller{i}") for i in range(3)]
    bystander = await company.hire(admin, "truong", group="manager")
    group = await admin.http.get("/v1/groups/sale")
    before = len(await company.staff.outbox("staff.account.changed.v1"))
    edited = await admin.http.patch(
        "/v1/groups/sale", json={"permissions": ["leads.read"]}, headers={"If-Match": group.headers["etag"]}
    )
    assert (edited.json()["permissions"], edited.json()["members"], edited.json()["version"]) == (["leads.read"], 3, 2)

    told = (await company.staff.outbox("staff.account.changed.v1"))[before:]
    assert {row["subject"] for row in told} == {person.id for person in people}
    assert {tuple(row["payload"]["permissions"]) for row in told} == {("leads.read",)}
    for person in people:
        assert (await person.http.get("/v1/me")).status_code == 401
        renewed = await company.refresh(person.refresh_token)
        assert renewed.json()["account"]["permissions"] == ["leads.read"]
    assert (await bystander.http.get("/v1/me")).status_code == 200


async def test_another_label_or_the_same_permissions_end_no_token(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    label = {"vi": "Tư vấn viên", "en": "Advisers"}
    edited = await admin.http.patch(
        "/v1/groups/sale",
        json={"label": label, "permissions": list(reversed(permissions.SEED_GROUPS["sale"]))},
        headers={"If-Match": '"1"'},
    )
    assert edited.json()["label"] == label
    assert (await lan.http.get("/v1/me")).status_code == 200


async def test_a_group_is_edited_from_what_one_has_seen(company: Company) -> None:
    admin = await company.admin()
    body = {"permissions": ["leads.read"]}
    assert (await admin.http.patch("/v1/groups/sale", json=body)).status_code == 428
    assert (await admin.http.patch("/v1/groups/sale", json=body, headers={"If-Match": '"7"'})).status_code == 412


async def test_a_group_with_more_permissions_than_ones_own_is_out_of_reach(company: Company) -> None:
    admin = await company.admin()
    branch = {**SALE_LEAD, "name": "branch", "permissions": ["staff.read", "staff.admin"]}
    await admin.http.post("/v1/groups", json=branch)
    lesser = await company.hire(admin, "branch", group="branch")
    assert title(await lesser.http.post("/v1/groups", json=SALE_LEAD)) == "above-you"
    for name in ("branch", "sale"):
        edit = await lesser.http.patch(
            f"/v1/groups/{name}", json={"permissions": ["staff.admin", "visibility.all"]}, headers={"If-Match": '"1"'}
        )
        assert title(edit) == "above-you"


async def test_an_unknown_group_is_not_found(company: Company) -> None:
    admin = await company.admin()
    for name in ("nobody", "%00", "Tr%C6%B0%E1%BB%9Fng"):
        assert title(await admin.http.get(f"/v1/groups/{name}")) == "group-not-found"


async def test_departments_have_labels_in_both_languages(company: Company) -> None:
    admin = await company.admin()
    departments = (await admin.http.get("/v1/departments")).json()
    assert [item["code"] for item in departments] == ["marketing", "sale", "cod", "administration"]
    assert all(item["label"]["vi"] and item["label"]["en"] for item in departments)
