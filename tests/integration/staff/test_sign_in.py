"""Signing in, staying signed in and being kept out, over HTTP with the real tokens."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from joserfc import jwt
from joserfc.jwk import OKPKey
from sqlalchemy import text

from services.staff.app import SERVICE
from services.staff.housekeeping import purge
from shared.contracts import permissions
from tests.harness import Databases, running
from tests.integration.staff.company import (
    ADMIN_PASSWORD,
    PASSWORD,
    TEMPORARY_PASSWORD,
    Company,
    founded,
    signing_key,
    title,
)


async def age(company: Company, table: str, column: str, by: str) -> None:
    """Makes rows older, instead of waiting."""
    async with company.staff.db.transaction() as session:
        await session.execute(text(f"UPDATE {table} SET {column} = {column} - interval '{by}'"))


async def test_the_first_account_signs_in_and_may_do_everything(company: Company) -> None:
    admin = await company.admin()
    me = (await admin.http.get("/v1/me")).json()
    assert (me["code"], me["login"], me["group"], me["must_change_password"]) == ("NV000", "admin", "admin", False)
    assert set(me["permissions"]) == permissions.ALL


async def test_a_later_start_neither_makes_another_first_account_nor_changes_its_password(
    databases: Databases, company: Company
) -> None:
    settings: dict[str, Any] = {"token_signing_key": signing_key(), "bootstrap_password": "another-password-1"}
    async with running(SERVICE, databases, database_url=company.staff.url, **settings):
        pass
    assert len(await company.staff.rows("SELECT 1 FROM accounts")) == 1
    assert (await company.sign_in("admin", ADMIN_PASSWORD)).status_code == 200


async def test_services_that_start_at_the_same_time_make_one_first_account(databases: Databases) -> None:
    url = await databases.create(SERVICE)
    settings: dict[str, Any] = {"token_signing_key": signing_key(), "bootstrap_password": ADMIN_PASSWORD}

    async def start() -> None:
        async with running(SERVICE, databases, database_url=url, **settings):
            pass

    await asyncio.gather(*(start() for _ in range(4)))
    async with running(SERVICE, databases, database_url=url, **settings) as staff:
        assert [row.code for row in await staff.rows("SELECT code FROM accounts")] == ["NV000"]
        assert len(await staff.outbox("staff.account.changed.v1")) == 1


async def test_the_token_says_who_one_is_and_ends_after_fifteen_minutes(company: Company) -> None:
    admin = await company.admin()
    lan = await company.hire(admin, "lan", department="sale", group="sale", team="Sale 1")
    keys = (await (await company.caller()).get("/.well-known/jwks.json")).json()["keys"]
    token = jwt.decode(lan.bearer.removeprefix("Bearer "), OKPKey.import_key(keys[0]), algorithms=["Ed25519"])
    assert token.header["kid"] == keys[0]["kid"] == OKPKey.import_key(keys[0]).thumbprint()
    claims = token.claims
    assert (claims["sub"], claims["code"], claims["department"], claims["team"]) == (lan.id, "NV001", "sale", "Sale 1")
    assert set(claims["permissions"]) == set(permissions.SEED_GROUPS["sale"])
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert "lan" not in str(claims).lower().replace(lan.id, "")


async def test_the_published_keys_are_public_and_may_be_kept_by_caches(company: Company) -> None:
    answer = await (await company.caller()).get("/.well-known/jwks.json")
    assert "public" in answer.headers["cache-control"]
    assert [set(key) for key in answer.json()["keys"]] == [{"kty", "crv", "x", "kid", "use", "alg"}]


async def test_tokens_of_the_key_before_hold_while_it_is_published(databases: Databases) -> None:
    old = signing_key()
    public = load_pem_private_key(old.encode(), None).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    async with founded(databases, token_signing_key=old) as before:
        admin = await before.admin()
        settings: dict[str, Any] = {"database_url": before.staff.url, "token_signing_key": signing_key()}
        async with founded(databases, token_previous_key=pem, **settings) as after:
            assert (await (await after.caller(admin.bearer)).get("/v1/me")).status_code == 200
        async with founded(databases, **settings) as without:
            assert (await (await without.caller(admin.bearer)).get("/v1/me")).status_code == 401


async def test_a_wrong_password_and_an_unknown_login_name_get_the_same_answer(company: Company) -> None:
    wrong, unknown = await company.sign_in("admin", "wrong-password"), await company.sign_in("nobody", "wrong-password")
    assert wrong.status_code == unknown.status_code == 401
    bodies = [{k: v for k, v in answer.json().items() if k != "correlation_id"} for answer in (wrong, unknown)]
    assert bodies[0] == bodies[1]
    assert bodies[0]["title"] == "wrong-credentials"


async def test_an_unknown_login_name_takes_as_long_as_a_wrong_password(company: Company) -> None:
    async def seconds(login: str, address: str) -> float:
        started = time.perf_counter()
        assert (await company.sign_in(login, "wrong-password", address=address)).status_code == 401
        return time.perf_counter() - started

    known = [await seconds("admin", f"198.51.100.{i}") for i in range(5)]
    unknown = [await seconds(f"nobody{i}", f"198.51.100.{i}") for i in range(5)]
    # Without the decoy the hash, nine tenths of the time, would be missing. The quickest: the machine may be busy.
    assert min(unknown) > min(known) / 3


async def test_the_login_name_may_be_typed_in_capitals_and_with_blanks(company: Company) -> None:
    assert (await company.sign_in("  Admin ", ADMIN_PASSWORD)).status_code == 200


async def test_a_password_is_the_same_however_the_keyboard_composes_its_letters(company: Company) -> None:
    admin = await company.admin()
    await company.create(admin, "lan", temporary_password="mật khẩu dài")
    assert (await company.sign_in("lan", "mật khẩu dài")).status_code == 200


async def test_ten_wrong_passwords_lock_the_login_name_for_fifteen_minutes(company: Company) -> None:
    for i in range(10):
        assert (await company.sign_in("admin", "wrong-password", address=f"203.0.113.{i}")).status_code == 401
    locked = await company.sign_in("admin", ADMIN_PASSWORD, address="203.0.113.99")
    assert (locked.status_code, title(locked)) == (429, "too-many-tries")
    assert 0 < int(locked.headers["retry-after"]) <= 15 * 60
    assert "15 phút" in locked.json()["detail"]

    await age(company, "sign_in_attempts", "at", "14 minutes")
    assert (await company.sign_in("admin", ADMIN_PASSWORD)).status_code == 429
    await age(company, "sign_in_attempts", "at", "1 minute")
    assert (await company.sign_in("admin", ADMIN_PASSWORD)).status_code == 200


async def test_tries_at_the_same_time_are_counted_like_tries_one_after_the_other(company: Company) -> None:
    answers = await asyncio.gather(
        *(company.sign_in("admin", f"wrong-password-{i}", address=f"203.0.113.{i}") for i in range(30))
    )
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (10, 20)


async def test_a_right_password_forgives_the_wrong_ones_before(company: Company) -> None:
    for _ in range(2):
        for _ in range(9):
            assert (await company.sign_in("admin", "wrong-password")).status_code == 401
        assert (await company.sign_in("admin", ADMIN_PASSWORD)).status_code == 200


async def test_a_hundred_wrong_passwords_lock_the_network_address_but_no_other(company: Company) -> None:
    async with company.staff.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO sign_in_attempts (id, login_hash, network, outcome) "
                "SELECT gen_random_uuid(), sha256(convert_to(n::text, 'UTF8')), '203.0.113.5', 'wrong' "
                "FROM generate_series(1, 100) n"
            )
        )
    assert (await company.sign_in("admin", ADMIN_PASSWORD, address="203.0.113.5")).status_code == 429
    assert (await company.sign_in("admin", ADMIN_PASSWORD, address="203.0.113.6")).status_code == 200


async def test_attempts_are_recorded_without_what_was_typed(company: Company) -> None:
    await company.sign_in("admin", ADMIN_PASSWORD)
    await company.sign_in("my-secret-password", "oops")
    rows = await company.staff.rows(
        "SELECT t.outcome, t.network, a.code FROM sign_in_attempts t LEFT JOIN accounts a ON a.id = t.account_id "
        "ORDER BY t.at"
    )
    assert [tuple(row) for row in rows] == [("right", "198.51.100.7", "NV000"), ("wrong", "198.51.100.7", None)]
    everything = await company.staff.rows("SELECT t::text AS line FROM sign_in_attempts t")
    assert not [row for row in everything if "secret" in row.line]


async def test_a_temporary_password_opens_nothing_but_its_own_replacement(company: Company) -> None:
    admin = await company.admin()
    await company.create(admin, "hoa", group="manager")
    hoa = await company.person("hoa", TEMPORARY_PASSWORD)
    assert (await hoa.http.get("/v1/me")).json()["must_change_password"] is True
    assert title(await hoa.http.get("/v1/accounts")) == "forbidden"
    assert title(await hoa.http.put("/v1/me/duty", json={"on_duty": True})) == "password-must-change"

    changed = await hoa.http.post(
        "/v1/me/password", json={"current_password": TEMPORARY_PASSWORD, "new_password": PASSWORD}
    )
    assert changed.json()["account"]["must_change_password"] is False
    settled = await company.caller(f"Bearer {changed.json()['access_token']}")
    assert (await settled.get("/v1/accounts")).status_code == 200
    assert (await hoa.http.get("/v1/me")).status_code == 401
    assert (await company.sign_in("hoa", TEMPORARY_PASSWORD)).status_code == 401
    assert (await company.sign_in("hoa", PASSWORD)).status_code == 200


async def test_a_password_change_needs_the_present_password_and_a_good_new_one(company: Company) -> None:
    admin = await company.admin()

    async def change(current: str, new: str) -> str:
        return title(await admin.http.post("/v1/me/password", json={"current_password": current, "new_password": new}))

    assert await change("not-the-password", PASSWORD) == "wrong-credentials"
    assert await change(ADMIN_PASSWORD, "short") == "password-too-short"
    assert await change(ADMIN_PASSWORD, "1212121212121") == "password-too-simple"
    assert await change(ADMIN_PASSWORD, "xin-chao-admin") == "password-too-simple"
    assert await change(ADMIN_PASSWORD, ADMIN_PASSWORD) == "password-unchanged"


async def test_the_present_password_cannot_be_guessed_with_a_stolen_access_token(company: Company) -> None:
    admin = await company.admin()
    body = {"current_password": "not-the-password", "new_password": PASSWORD}
    statuses = [(await admin.http.post("/v1/me/password", json=body)).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


async def test_a_password_change_signs_out_everywhere_else(company: Company) -> None:
    elsewhere, here = await company.admin(), await company.admin()
    answer = await here.http.post(
        "/v1/me/password", json={"current_password": ADMIN_PASSWORD, "new_password": PASSWORD}
    )
    assert (await elsewhere.http.get("/v1/me")).status_code == 401
    assert title(await company.refresh(elsewhere.refresh_token)) == "session-ended"
    assert (await company.refresh(answer.json()["refresh_token"])).status_code == 200


async def test_a_refresh_token_brings_new_tokens(company: Company) -> None:
    admin = await company.admin()
    renewed = await company.refresh(admin.refresh_token)
    assert renewed.headers["cache-control"] == "no-store"
    assert renewed.json()["refresh_token"] != admin.refresh_token
    client = await company.caller(f"Bearer {renewed.json()['access_token']}")
    assert (await client.get("/v1/me")).status_code == 200


async def test_a_refresh_whose_answer_was_lost_may_be_repeated(company: Company) -> None:
    admin = await company.admin()
    lost = (await company.refresh(admin.refresh_token)).json()["refresh_token"]
    again = await company.refresh(admin.refresh_token)
    assert again.status_code == 200
    assert (await company.refresh(again.json()["refresh_token"])).status_code == 200
    await age(company, "refresh_tokens", "used_at", "11 seconds")
    assert title(await company.refresh(lost)) == "refresh-token-reused"


async def test_refreshes_at_the_same_time_leave_one_token_that_holds(company: Company) -> None:
    admin = await company.admin()
    answers = await asyncio.gather(*(company.refresh(admin.refresh_token) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    current = await company.staff.rows("SELECT 1 FROM refresh_tokens WHERE used_at IS NULL")
    assert len(current) == 1


async def test_an_old_refresh_token_that_comes_back_closes_the_session(company: Company) -> None:
    admin = await company.admin()
    renewed = (await company.refresh(admin.refresh_token)).json()["refresh_token"]
    await age(company, "refresh_tokens", "used_at", "11 seconds")
    assert title(await company.refresh(admin.refresh_token)) == "refresh-token-reused"
    assert title(await company.refresh(renewed)) == "session-ended"


async def test_a_session_ends_after_seven_days_or_when_one_signs_out(company: Company) -> None:
    first, second = await company.admin(), await company.admin()
    for _ in range(2):
        out = await (await company.caller()).post("/v1/sign-out", json={"refresh_token": first.refresh_token})
        assert out.status_code == 204
    assert title(await company.refresh(first.refresh_token)) == "session-ended"
    await age(company, "sessions", "expires_at", "7 days")
    assert title(await company.refresh(second.refresh_token)) == "session-ended"


async def test_refresh_tokens_and_passwords_are_kept_as_hashes_only(company: Company) -> None:
    admin = await company.admin()
    for table in ("accounts", "sessions", "refresh_tokens", "sign_in_attempts", "outbox", "idempotency_keys"):
        for row in await company.staff.rows(f"SELECT t::text AS line FROM {table} t"):
            assert ADMIN_PASSWORD not in row.line
            assert admin.refresh_token not in row.line
            assert admin.refresh_token.encode().hex() not in row.line


async def test_old_attempts_and_sessions_are_forgotten_and_young_ones_kept(company: Company) -> None:
    await company.admin()
    await age(company, "sign_in_attempts", "at", "91 days")
    await age(company, "sessions", "expires_at", "38 days")
    kept = await company.admin()
    await purge(company.staff.db)
    assert len(await company.staff.rows("SELECT 1 FROM sign_in_attempts")) == 1
    assert len(await company.staff.rows("SELECT 1 FROM sessions")) == 1
    assert (await company.refresh(kept.refresh_token)).status_code == 200


async def test_bodies_that_make_no_sense_are_refused_in_both_languages(company: Company) -> None:
    client = await company.caller()

    async def refused(path: str, content: bytes, language: str) -> httpx.Response:
        headers = {"Accept-Language": language, "Content-Type": "application/json"}
        answer = await client.post(path, content=content, headers=headers)
        assert (answer.status_code, title(answer)) == (422, "invalid"), answer.text
        return answer

    for path in ("/v1/sign-in", "/v1/token/refresh", "/v1/sign-out"):
        for content in (b"", b"[]", b"{", b'{"x": 1}', b'{"login": 1, "password": [], "refresh_token": {}}'):
            vietnamese, english = await refused(path, content, "vi"), await refused(path, content, "en")
            assert vietnamese.json()["detail"] != english.json()["detail"]
            for error in vietnamese.json()["errors"]:
                assert not error["message"].isascii(), error


async def test_strange_characters_in_a_login_name_are_just_wrong(company: Company) -> None:
    for login in ("\x00", "admin\x00", "ad min", "'; drop table accounts --", "ậ" * 200, ""):
        assert (await company.sign_in(login, "wrong-password")).status_code == 401
