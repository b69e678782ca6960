"""Who leaves, who takes their place, and who comes back."""

from __future__ import annotations

from uuid import uuid4

from tests.integration.staff.company import PASSWORD, TEMPORARY_PASSWORD, Company, title, told


async def test_who_leaves_is_out_at_once_and_off_duty(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    await lan.http.put("/v1/me/duty", json={"on_duty": True})
    gone = await admin.http.post(f"/v1/accounts/{lan.id}/deactivate", json={})
    assert (gone.json()["active"], gone.json()["on_duty"]) == (False, False)
    assert (await lan.http.get("/v1/me")).status_code == 401
    assert title(await company.refresh(lan.refresh_token)) == "session-ended"
    right, wrong = await company.sign_in("lan", PASSWORD), await company.sign_in("lan", "wrong-password")
    assert (right.status_code, title(right)) == (403, "account-inactive")
    assert title(wrong) == "wrong-credentials"
    assert (await told(company, lan.id))[-1].active is False
    switches = await company.staff.outbox("staff.duty.changed.v1")
    assert [(row["payload"]["on_duty"], row["payload"]["by"]) for row in switches] == [
        (True, "NV001"),
        (False, "NV000"),
    ]
    again = await admin.http.post(f"/v1/accounts/{lan.id}/deactivate", json={})
    assert (again.status_code, again.json()["version"]) == (200, gone.json()["version"])


async def test_the_subordinates_of_who_leaves_need_a_new_superior(company: Company) -> None:
    admin = await company.admin()
    leaver = (await company.create(admin, "leaver", group="manager")).json()
    people = [(await company.create(admin, f"seller{i}", superior_id=leaver["id"])).json() for i in range(3)]
    successor = (await company.create(admin, "next", group="manager")).json()
    path = f"/v1/accounts/{leaver['id']}/deactivate"

    without = await admin.http.post(path, json={})
    assert (without.status_code, title(without)) == (409, "successor-needed")
    assert "3" in without.json()["detail"]
    assert title(await admin.http.post(path, json={"new_superior_id": leaver["id"]})) == "successor-is-leaver"
    assert title(await admin.http.post(path, json={"new_superior_id": str(uuid4())})) == "superior-unknown"

    done = await admin.http.post(path, json={"new_superior_id": successor["id"]})
    assert done.status_code == 200
    for person in people:
        now = (await admin.http.get(f"/v1/accounts/{person['id']}")).json()
        assert (now["superior"]["code"], now["version"]) == (successor["code"], 2)
        assert str((await told(company, person["id"]))[-1].superior_id) == successor["id"]


async def test_a_successor_from_below_takes_the_place_of_who_leaves(company: Company) -> None:
    admin = await company.admin()
    leaver = (await company.create(admin, "leaver", group="manager")).json()
    middle = (await company.create(admin, "middle", superior_id=leaver["id"])).json()
    heir = (await company.create(admin, "heir", superior_id=middle["id"])).json()
    done = await admin.http.post(f"/v1/accounts/{leaver['id']}/deactivate", json={"new_superior_id": heir["id"]})
    assert done.status_code == 200
    superiors = {
        person["login"]: (await admin.http.get(f"/v1/accounts/{person['id']}")).json()["superior"]["code"]
        for person in (middle, heir, leaver)
    }
    assert superiors == {"heir": "NV000", "middle": heir["code"], "leaver": "NV000"}


async def test_nobody_works_under_somebody_who_left(company: Company) -> None:
    admin = await company.admin()
    gone = (await company.create(admin, "gone")).json()
    lan = (await company.create(admin, "lan")).json()
    await admin.http.post(f"/v1/accounts/{gone['id']}/deactivate", json={})
    assert title(await company.edit(admin, lan["id"], superior_id=gone["id"])) == "superior-inactive"
    assert title(await company.create(admin, "hoa", superior_id=gone["id"])) == "superior-inactive"


async def test_who_comes_back_signs_in_with_a_temporary_password(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan")
    await admin.http.post(f"/v1/accounts/{lan.id}/deactivate", json={})
    back = await admin.http.post(f"/v1/accounts/{lan.id}/reactivate", json={"temporary_password": TEMPORARY_PASSWORD})
    assert (back.json()["active"], back.json()["must_change_password"]) == (True, True)
    assert (await company.sign_in("lan", PASSWORD)).status_code == 401
    assert (await company.sign_in("lan", TEMPORARY_PASSWORD)).status_code == 200
    assert (await lan.http.get("/v1/me")).status_code == 401


async def test_who_comes_back_under_a_superior_who_left_gets_another_first(company: Company) -> None:
    admin = await company.admin()
    manager = (await company.create(admin, "truong")).json()
    lan = (await company.create(admin, "lan", superior_id=manager["id"])).json()
    for account in (lan, manager):
        assert (await admin.http.post(f"/v1/accounts/{account['id']}/deactivate", json={})).status_code == 200
    path, body = f"/v1/accounts/{lan['id']}/reactivate", {"temporary_password": TEMPORARY_PASSWORD}
    assert title(await admin.http.post(path, json=body)) == "superior-inactive"
    await company.edit(admin, lan["id"], superior_id=admin.id)
    assert (await admin.http.post(path, json=body)).json()["active"] is True
