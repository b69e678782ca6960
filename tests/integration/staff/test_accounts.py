"""Accounts and the tree of superiors, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.contracts import permissions
from tests.integration.staff.company import PASSWORD, TEMPORARY_PASSWORD, Company, Person, title, told


async def group(company: Company, admin: Person, name: str, *granted: str) -> None:
    """Makes a group."""
    body = {"name": name, "label": {"vi": name, "en": name}, "permissions": list(granted)}
    made = await admin.http.post("/v1/groups", json=body)
    assert made.status_code == 201, made.text


async def branch_admin(company: Company, admin: Person) -> Person:
    """Somebody who administers staff, but sees only those below."""
    await group(company, admin, "branch_admin", "staff.read", "staff.admin", *permissions.SEED_GROUPS["sale"])
    return await company.hire(admin, "branch", department="administration", group="branch_admin")


async def test_a_new_account_gets_the_next_staff_code_and_is_told_to_the_others(company: Company) -> None:
    admin = await company.admin()
    first = (await company.create(admin, "lan", name="Nguyễn Thị Lan", team="Sale 1")).json()
    second = (await company.create(admin, "hoa", superior_id=first["id"], phone="0912 345 678")).json()
    assert (first["code"], second["code"]) == ("NV001", "NV002")
    assert second["superior"] == {"id": first["id"], "code": "NV001", "name": "Nguyễn Thị Lan"}
    assert second["phone"] == "+84912345678"
    [event] = await told(company, first["id"])
    assert (event.version, event.code, event.name, event.department) == (1, "NV001", "Nguyễn Thị Lan", "sale")
    assert (event.group, event.team, str(event.superior_id), event.active) == ("sale", "Sale 1", admin.id, True)
    assert set(event.permissions) == set(permissions.SEED_GROUPS["sale"])


async def test_codes_go_on_after_nv999(company: Company) -> None:
    admin = await company.admin()
    async with company.staff.db.transaction() as session:
        await session.execute(text("SELECT setval('account_numbers', 998)"))
    codes = [(await company.create(admin, login)).json()["code"] for login in ("lan", "hoa")]
    assert codes == ["NV999", "NV1000"]


async def test_a_creation_that_is_repeated_makes_one_account(company: Company) -> None:
    admin = await company.admin()
    body = {
        "login": "lan",
        "name": "Lan",
        "department": "sale",
        "group": "sale",
        "temporary_password": TEMPORARY_PASSWORD,
    }
    headers = {"Idempotency-Key": "hire-lan"}
    answers = await asyncio.gather(*(admin.http.post("/v1/accounts", json=body, headers=headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await admin.http.post("/v1/accounts", json={**body, "login": "hoa"}, headers=headers)
    assert (other.status_code, title(other)) == (422, "idempotency-key-reused")


BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"login": "la"}, 422, "login-malformed"),
    ({"login": "nguyễn.lan"}, 422, "login-malformed"),
    ({"login": "lan\x00"}, 422, "login-malformed"),
    ({"login": "ADMIN"}, 409, "login-taken"),
    ({"phone": "12"}, 422, "phone-malformed"),
    ({"phone": "số của Lan"}, 422, "phone-malformed"),
    ({"group": "nobody"}, 422, "group-unknown"),
    ({"group": "\x00"}, 422, "group-unknown"),
    ({"superior_id": str(uuid4())}, 422, "superior-unknown"),
    ({"temporary_password": "short"}, 422, "password-too-short"),
    ({"temporary_password": "lan.nguyen-2027"}, 422, "password-too-simple"),
    ({"temporary_password": "x" * 129}, 422, "invalid"),
    ({"name": "  "}, 422, "invalid"),
    ({"name": "Lan\x00"}, 422, "invalid"),
    ({"name": "\ud800"}, 422, "invalid"),
    ({"name": "L" * 121}, 422, "invalid"),
    ({"name": None}, 422, "invalid"),
    ({"team": "a\nb"}, 422, "invalid"),
    ({"department": "sales"}, 422, "invalid"),
    ({"superior_id": "NV000"}, 422, "invalid"),
    ({"code": "NV007"}, 422, "invalid"),
]


@pytest.mark.parametrize(("fields", "status", "kind"), BAD, ids=[f"{kind}-{i}" for i, (_, _, kind) in enumerate(BAD)])
async def test_a_bad_account_is_refused_with_a_sentence_in_both_languages(
    lasting: Company, fields: dict[str, Any], status: int, kind: str
) -> None:
    admin = await lasting.admin()
    vietnamese = await lasting.create(admin, **{"login": "lan.nguyen", **fields})
    assert (vietnamese.status_code, title(vietnamese)) == (status, kind)
    admin.http.headers["Accept-Language"] = "en"
    english = await lasting.create(admin, **{"login": "lan.nguyen", **fields})
    assert vietnamese.json()["detail"] != english.json()["detail"]
    assert not vietnamese.json()["detail"].isascii()
    for error in vietnamese.json().get("errors", []):
        assert not error["message"].isascii(), error
    assert len(await lasting.staff.rows("SELECT 1 FROM accounts")) == 1


async def test_people_see_themselves_and_those_below_page_by_page(company: Company) -> None:
    admin = await company.admin()
    manager = await company.hire(admin, "truong", group="manager")
    seller = (await company.create(admin, "lan", superior_id=manager.id)).json()
    below = (await company.create(admin, "hoa", superior_id=seller["id"])).json()
    other = (await company.create(admin, "other")).json()

    async def codes(who: Person) -> list[str]:
        found: list[str] = []
        page: dict[str, Any] = {"next": ""}
        while page["next"] is not None:
            query = {"limit": 2, **({"after": page["next"]} if page["next"] else {})}
            page = (await who.http.get("/v1/accounts", params=query)).json()
            found += [item["code"] for item in page["items"]]
        return found

    assert await codes(manager) == ["NV001", "NV002", "NV003"]
    assert await codes(admin) == ["NV000", "NV001", "NV002", "NV003", "NV004"]
    assert (await manager.http.get(f"/v1/accounts/{below['id']}")).status_code == 200
    assert title(await manager.http.get(f"/v1/accounts/{other['id']}")) == "account-not-found"


async def test_a_move_in_the_tree_is_seen_at_once(company: Company) -> None:
    admin = await company.admin()
    manager = await company.hire(admin, "truong", group="manager")
    seller = (await company.create(admin, "lan")).json()
    assert (await manager.http.get(f"/v1/accounts/{seller['id']}")).status_code == 404
    await company.edit(admin, seller["id"], superior_id=manager.id)
    assert (await manager.http.get(f"/v1/accounts/{seller['id']}")).status_code == 200
    await company.edit(admin, seller["id"], superior_id=None)
    assert (await manager.http.get(f"/v1/accounts/{seller['id']}")).status_code == 404


async def test_a_phone_number_is_masked_for_who_may_not_see_it(company: Company) -> None:
    admin = await company.admin()
    await group(company, admin, "auditor", "staff.read", "visibility.all")
    auditor = await company.hire(admin, "auditor", group="auditor")
    lan = await company.hire(admin, "lan", phone="0912345678")
    assert (await auditor.http.get(f"/v1/accounts/{lan.id}")).json()["phone"] == "0912***678"
    assert (await lan.http.get("/v1/me")).json()["phone"] == "+84912345678"
    assert (await admin.http.get(f"/v1/accounts/{lan.id}")).json()["phone"] == "+84912345678"


async def test_routes_ask_for_their_permission(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    manager = await company.hire(admin, "truong", group="manager")
    nobody = await company.caller()
    for method, path in (
        ("GET", "/v1/accounts"),
        ("POST", "/v1/accounts"),
        ("GET", f"/v1/accounts/{lan.id}"),
        ("PATCH", f"/v1/accounts/{lan.id}"),
        ("POST", f"/v1/accounts/{lan.id}/deactivate"),
        ("POST", f"/v1/accounts/{lan.id}/reactivate"),
        ("POST", f"/v1/accounts/{lan.id}/reset-password"),
        ("POST", f"/v1/accounts/{lan.id}/sign-out"),
        ("PUT", f"/v1/accounts/{lan.id}/duty"),
        ("GET", f"/v1/accounts/{lan.id}/duty"),
        ("GET", "/v1/groups"),
        ("POST", "/v1/groups"),
        ("GET", "/v1/groups/sale"),
        ("PATCH", "/v1/groups/sale"),
    ):
        assert (await nobody.request(method, path)).status_code == 401, (method, path)
        assert title(await lan.http.request(method, path)) == "forbidden", (method, path)
        if method in ("POST", "PATCH"):
            assert title(await manager.http.request(method, path)) == "forbidden", (method, path)
    assert (await nobody.get("/v1/me")).status_code == 401
    assert (await nobody.get("/v1/departments")).status_code == 401


async def test_an_edit_starts_from_what_one_has_seen(company: Company) -> None:
    admin = await company.admin()
    lan = (await company.create(admin, "lan")).json()
    path = f"/v1/accounts/{lan['id']}"
    etag = (await admin.http.get(path)).headers["etag"]
    first = await admin.http.patch(path, json={"team": "Sale 2"}, headers={"If-Match": etag})
    assert (first.json()["team"], first.json()["version"], first.headers["etag"]) == ("Sale 2", 2, '"2"')
    late = await admin.http.patch(path, json={"team": "Sale 3"}, headers={"If-Match": etag})
    assert (late.status_code, title(late)) == (412, "if-match-failed")
    blind = await admin.http.patch(path, json={"team": "Sale 3"})
    assert (blind.status_code, title(blind)) == (428, "if-match-required")
    nonsense = await admin.http.patch(path, json={"team": "Sale 3"}, headers={"If-Match": "latest"})
    assert nonsense.status_code == 412


async def test_an_edit_that_changes_nothing_tells_nobody(company: Company) -> None:
    admin = await company.admin()
    lan = (await company.create(admin, "lan", team="Sale 1")).json()
    same = await company.edit(admin, lan["id"], team=" Sale 1 ", name=lan["name"])
    assert same.json()["version"] == 1
    assert len(await told(company, lan["id"])) == 1


async def test_edits_at_the_same_time_leave_one_winner(company: Company) -> None:
    admin = await company.admin()
    lan = (await company.create(admin, "lan")).json()
    answers = await asyncio.gather(
        *(
            admin.http.patch(f"/v1/accounts/{lan['id']}", json={"team": f"Sale {i}"}, headers={"If-Match": '"1"'})
            for i in range(5)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]


async def test_one_may_edit_ones_own_name_and_phone_and_nothing_else(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    etag = (await lan.http.get("/v1/me")).headers["etag"]
    edited = await lan.http.patch("/v1/me", json={"phone": "0912345678"}, headers={"If-Match": etag})
    assert (edited.status_code, edited.json()["phone"]) == (200, "+84912345678")
    refused = await lan.http.patch("/v1/me", json={"group": "admin"}, headers={"If-Match": edited.headers["etag"]})
    assert (refused.status_code, title(refused)) == (422, "invalid")
    assert (await lan.http.get("/v1/me")).status_code == 200


async def test_another_group_ends_the_token_at_once_and_a_renewal_brings_the_new_permissions(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    await company.edit(admin, lan.id, group="manager")
    assert (await lan.http.get("/v1/me")).status_code == 401
    renewed = (await company.refresh(lan.refresh_token)).json()
    assert "staff.read" in renewed["account"]["permissions"]
    client = await company.caller(f"Bearer {renewed['access_token']}")
    assert (await client.get("/v1/accounts")).status_code == 200
    assert [event.token_epoch for event in await told(company, lan.id)] == [0, 1, 2]


async def test_a_circle_of_superiors_is_refused(company: Company) -> None:
    admin = await company.admin()
    a = (await company.create(admin, "aaa")).json()["id"]
    b = (await company.create(admin, "bbb", superior_id=a)).json()["id"]
    c = (await company.create(admin, "ccc", superior_id=b)).json()["id"]
    for superior in (b, c):
        refused = await company.edit(admin, a, superior_id=superior)
        assert (refused.status_code, title(refused)) == (409, "superior-circle")
    assert title(await company.edit(admin, a, superior_id=a)) == "superior-is-self"


async def test_two_edits_at_the_same_time_cannot_make_a_circle_together(company: Company) -> None:
    admin = await company.admin()
    for round_ in range(5):
        a = (await company.create(admin, f"a{round_}x")).json()["id"]
        b = (await company.create(admin, f"b{round_}x")).json()["id"]
        answers = await asyncio.gather(
            company.edit(admin, a, superior_id=b),
            company.edit(admin, b, superior_id=a),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_a_tree_deeper_than_the_services_follow_is_refused(company: Company) -> None:
    above = await company.admin()
    admin = above
    superior = above.id
    for level in range(1, 31):
        answer = await company.create(admin, f"level{level}", superior_id=superior)
        assert answer.status_code == 201, (level, answer.text)
        superior = answer.json()["id"]
    too_deep = await company.create(admin, "level31", superior_id=superior)
    assert (too_deep.status_code, title(too_deep)) == (409, "tree-too-deep")


async def test_a_reset_password_is_temporary_and_signs_out_everywhere(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    reset = await admin.http.post(
        f"/v1/accounts/{lan.id}/reset-password", json={"temporary_password": TEMPORARY_PASSWORD}
    )
    assert reset.status_code == 204
    assert (await lan.http.get("/v1/me")).status_code == 401
    assert title(await company.refresh(lan.refresh_token)) == "session-ended"
    assert (await company.sign_in("lan", PASSWORD)).status_code == 401
    assert (await company.sign_in("lan", TEMPORARY_PASSWORD)).json()["account"]["must_change_password"] is True


async def test_signed_out_everywhere_means_access_and_refresh_tokens(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    assert (await admin.http.post(f"/v1/accounts/{lan.id}/sign-out")).status_code == 204
    assert (await lan.http.get("/v1/me")).status_code == 401
    assert title(await company.refresh(lan.refresh_token)) == "session-ended"
    assert (await company.sign_in("lan", PASSWORD)).status_code == 200


async def test_nobody_gives_or_takes_over_permissions_beyond_their_own(company: Company) -> None:
    admin = await company.admin()
    branch = await branch_admin(company, admin)
    stronger = (await company.create(admin, "boss", superior_id=branch.id, group="admin")).json()

    refused = await company.create(branch, "lan", group="cod")
    assert (refused.status_code, title(refused)) == (403, "above-you")
    assert "visibility.all" in refused.json()["detail"]
    path = f"/v1/accounts/{stronger['id']}"
    assert title(await company.edit(branch, stronger["id"], group="sale")) == "above-you"
    body = {"temporary_password": TEMPORARY_PASSWORD}
    assert title(await branch.http.post(f"{path}/reset-password", json=body)) == "above-you"
    assert title(await branch.http.post(f"{path}/deactivate", json={})) == "above-you"
    assert title(await branch.http.post(f"{path}/sign-out")) == "above-you"


async def test_who_sees_only_those_below_manages_only_them(company: Company) -> None:
    admin = await company.admin()
    branch = await branch_admin(company, admin)
    other = (await company.create(admin, "other")).json()
    own = await company.create(branch, "lan")
    assert own.status_code == 201
    assert title(await company.create(branch, "hoa", superior_id=None)) == "superior-needed"
    assert title(await company.create(branch, "hoa", superior_id=other["id"])) == "superior-unknown"
    edit = await branch.http.patch(f"/v1/accounts/{other['id']}", json={"team": "x"}, headers={"If-Match": '"1"'})
    assert title(edit) == "account-not-found"
    assert title(await branch.http.post(f"/v1/accounts/{other['id']}/deactivate", json={})) == "account-not-found"


async def test_somebody_always_administers_staff(company: Company) -> None:
    admin = await company.admin()
    assert title(await admin.http.post(f"/v1/accounts/{admin.id}/deactivate", json={})) == "last-administrator"
    assert title(await company.edit(admin, admin.id, group="sale")) == "last-administrator"
    without = await admin.http.patch("/v1/groups/admin", json={"permissions": []}, headers={"If-Match": '"1"'})
    assert title(without) == "last-administrator"

    await company.hire(admin, "second", group="admin", superior_id=None)
    done = await admin.http.post(f"/v1/accounts/{admin.id}/deactivate", json={})
    assert done.status_code == 200
    assert (await admin.http.get("/v1/me")).status_code == 401


async def test_two_administrators_cannot_close_each_other_at_the_same_time(company: Company) -> None:
    admin = await company.admin()
    second = await company.hire(admin, "second", group="admin", superior_id=None)
    answers = await asyncio.gather(
        admin.http.post(f"/v1/accounts/{second.id}/deactivate", json={}),
        second.http.post(f"/v1/accounts/{admin.id}/deactivate", json={}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_an_account_that_does_not_exist_is_not_found(company: Company) -> None:
    admin = await company.admin()
    missing = await admin.http.get(f"/v1/accounts/{uuid4()}", headers={"Accept-Language": "en"})
    assert (missing.status_code, title(missing)) == (404, "account-not-found")
    malformed = await admin.http.get("/v1/accounts/NV001")
    assert (malformed.status_code, title(malformed)) == (422, "invalid")
