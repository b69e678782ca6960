"""The staff service's rules and settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from services.staff import domain
from services.staff.passwords import Passwords
from services.staff.problems import LoginMalformed, PhoneMalformed
from services.staff.settings import StaffSettings
from shared.phone.masking import masked
from shared.settings import load

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def pem(key: Ed25519PrivateKey | ed448.Ed448PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("typed", "kept"), [("Lan.Nguyen", "lan.nguyen"), (" lan@shop.vn ", "lan@shop.vn"), ("0912345678", "0912345678")]
)
def test_login_names_are_kept_in_small_letters(typed: str, kept: str) -> None:
    assert domain.login_name(typed) == kept


@pytest.mark.parametrize("typed", ["", "ab", ".lan", "lân", "lan nguyen", "x" * 65, "la\nn", "ｌａｎ"])
def test_other_login_names_are_refused(typed: str) -> None:
    with pytest.raises(LoginMalformed):
        domain.login_name(typed)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("0912 345 678", "+84912345678"),
        ("+84 912.345.678", "+84912345678"),
        ("+1 202-555-0143", "+12025550143"),
        ("  ", ""),
    ],
)
def test_phone_numbers_are_kept_in_one_form(typed: str, kept: str) -> None:
    assert domain.phone_number(typed) == kept


@pytest.mark.parametrize(
    "typed", ["091234567", "12", "abc", "0000000000", "\x00", "1900 1234", "0912345678 / 0987654321"]
)
def test_what_is_no_phone_number_is_refused(typed: str) -> None:
    with pytest.raises(PhoneMalformed):
        domain.phone_number(typed)


def test_a_refused_phone_number_is_told_what_to_correct() -> None:
    with pytest.raises(PhoneMalformed) as refused:
        domain.phone_number("091234567")
    assert refused.value.detail("vi") == "Số điện thoại thiếu 1 chữ số. Kiểm tra lại rồi lưu. Hoặc để trống."
    assert "1 digit is missing" in refused.value.detail("en")


def test_a_masked_phone_number_shows_its_ends() -> None:
    assert [masked(phone) for phone in ("+84912345678", "+12025550143")] == ["0912***678", "+120***143"]


def test_a_login_is_locked_from_the_tenth_wrong_try_in_fifteen_minutes_for_fifteen_minutes() -> None:
    tries = [NOW - i * MINUTE for i in range(10)]
    assert domain.locked_until(tries, most=10, now=NOW) == NOW + 15 * MINUTE
    assert domain.locked_until(tries[:9], most=10, now=NOW) is None
    assert domain.locked_until(tries, most=10, now=NOW + 15 * MINUTE) is None


def test_wrong_tries_spread_over_more_than_fifteen_minutes_lock_nothing() -> None:
    tries = [NOW - i * 2 * MINUTE for i in range(10)]
    assert domain.locked_until(tries, most=10, now=NOW) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_an_ipv6_host_cannot_try_from_each_of_its_addresses(address: str, network: str) -> None:
    assert domain.network(address) == network


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Settings that are right."""
    monkeypatch.setenv("CHOT_DATABASE_URL", "postgresql://chot@127.0.0.1/chot_staff")
    monkeypatch.setenv("CHOT_TOKEN_SIGNING_KEY", pem(Ed25519PrivateKey.generate()))
    monkeypatch.setenv("CHOT_BOOTSTRAP_PASSWORD", "mua-xuan-2027")
    return monkeypatch


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """What a process says that cannot start."""
    with pytest.raises(SystemExit) as ended:
        load(StaffSettings)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_right_settings_are_accepted_and_never_shown(environment: pytest.MonkeyPatch) -> None:
    settings = load(StaffSettings)
    assert "PRIVATE KEY" not in repr(settings)
    assert "mua-xuan" not in repr(settings)


def test_a_missing_signing_key_stops_the_start(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("CHOT_TOKEN_SIGNING_KEY")
    said = refusal(capsys)
    assert "CHOT_TOKEN_SIGNING_KEY" in said
    assert "openssl genpkey -algorithm ed25519" in said


PROTECTED = Ed25519PrivateKey.generate().private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
)
PUBLIC = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("key", "because"),
    [
        ("", "not a private key"),
        ("secret", "not a private key"),
        (PUBLIC.decode(), "not a private key"),
        (pem(Ed25519PrivateKey.generate())[:60], "not a private key"),
        (pem(rsa.generate_private_key(65537, 2048)), "this is RSA"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "this is EC"),
        (pem(ed448.Ed448PrivateKey.generate()), "this is Ed448"),
        (PROTECTED.decode(), "protected by a password"),
    ],
    ids=["empty", "no PEM", "public", "cut off", "RSA", "EC", "Ed448", "protected"],
)
def test_an_unsuitable_signing_key_stops_the_start_and_is_not_repeated(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str, because: str
) -> None:
    environment.setenv("CHOT_TOKEN_SIGNING_KEY", key)
    said = refusal(capsys)
    assert "CHOT_TOKEN_SIGNING_KEY" in said
    assert because in said
    assert not key or key not in said


@pytest.mark.parametrize("password", ["short", "1111111111111", "admin-admin-27"])
def test_a_weak_bootstrap_password_stops_the_start_and_is_not_repeated(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    environment.setenv("CHOT_BOOTSTRAP_PASSWORD", password)
    said = refusal(capsys)
    assert "CHOT_BOOTSTRAP_PASSWORD" in said
    assert password not in said
    assert "Value error" not in said


def test_an_unsuitable_previous_key_stops_the_start(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("CHOT_TOKEN_PREVIOUS_KEY", pem(Ed25519PrivateKey.generate()))
    assert "CHOT_TOKEN_PREVIOUS_KEY" in refusal(capsys)
    environment.setenv("CHOT_TOKEN_PREVIOUS_KEY", PUBLIC.decode())
    assert load(StaffSettings).token_previous_key == PUBLIC.decode()


async def test_a_password_is_hashed_at_the_cost_that_owasp_asks_for() -> None:
    assert (await Passwords().hash("mot-mat-khau-rat-dai")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
