"""Who has access to the machine can let an administrator in again who lost the password."""

from __future__ import annotations

import asyncio
import os
import re
import sys

from tests.integration.staff.company import ADMIN_PASSWORD, PASSWORD, TEMPORARY_PASSWORD, Company


async def on_the_machine(company: Company, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Runs the command as an operator does; returns exit status, what it printed, what it complained about."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.staff.reset_password",
        *arguments,
        env=os.environ | {"CHOT_DATABASE_URL": company.staff.url} | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complained = await process.communicate()
    return process.returncode or 0, printed.decode(), complained.decode()


async def test_a_lost_administrator_comes_in_again_has_to_choose_a_password_and_it_is_audited(company: Company) -> None:
    before = await company.admin()
    status, printed, complained = await on_the_machine(company, "nv000")
    assert (status, complained) == (0, "")
    found = re.search(r"^ +(\S+)$", printed, re.MULTILINE)
    assert found is not None, printed
    password = found[1]

    assert (await company.sign_in("admin", ADMIN_PASSWORD)).status_code == 401
    assert (await before.http.get("/v1/me")).status_code == 401
    assert (await company.refresh(before.refresh_token)).status_code == 401

    again = await company.person("admin", password)
    assert (await again.http.get("/v1/accounts")).status_code == 403
    changed = await again.http.post("/v1/me/password", json={"current_password": password, "new_password": PASSWORD})
    assert changed.status_code == 200, changed.text
    assert (await company.sign_in("admin", password)).status_code == 401

    admin = await company.person("admin")
    (entry,) = (await admin.http.get(f"/v1/accounts/{admin.id}/audit")).json()["items"]
    assert entry["what"] == "password_reset"
    assert "@" in entry["by"]
    told = (await company.staff.outbox("staff.account.changed.v1"))[-1]["payload"]
    assert told["token_epoch"] > 0


async def test_each_reset_gives_another_password_and_a_reset_by_an_administrator_is_audited_too(
    company: Company,
) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan.nguyen")
    reset = await admin.http.post(
        f"/v1/accounts/{lan.id}/reset-password", json={"temporary_password": TEMPORARY_PASSWORD}
    )
    assert reset.status_code == 204, reset.text
    printed = [(await on_the_machine(company, "lan.nguyen"))[1] for _ in range(2)]
    assert printed[0] != printed[1]
    entries = (await admin.http.get(f"/v1/accounts/{lan.id}/audit", params={"limit": 2})).json()
    assert len(entries["items"]) == 2
    rest = await admin.http.get(f"/v1/accounts/{lan.id}/audit", params={"after": entries["next"]})
    assert [entry["by"] for entry in rest.json()["items"]] == ["NV000"]


async def test_what_cannot_be_reset_is_said_in_a_sentence_and_changes_nothing(company: Company) -> None:
    status, printed, complained = await on_the_machine(company, "NV999")
    assert (status, printed) == (1, "")
    assert "NV999" in complained

    admin = await company.admin()
    lan = await company.hire(admin, "lan.nguyen")
    assert (await admin.http.post(f"/v1/accounts/{lan.id}/deactivate", json={})).status_code == 200
    status, _, complained = await on_the_machine(company, lan.code)
    assert status == 1
    assert "closed" in complained

    status, _, complained = await on_the_machine(company, "NV000", CHOT_DATABASE_URL="postgresql://x@127.0.0.1:9/x")
    assert status == 1
    assert "does not answer" in complained
    assert (await company.sign_in("admin", ADMIN_PASSWORD)).status_code == 200
