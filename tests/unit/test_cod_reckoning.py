"""What is wrong with a parcel's money, when it is home, which credit is whose: without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.shipping.cod import bank
from services.shipping.cod.bank import Credit, Offer, Payout, belonging
from services.shipping.cod.contracts import Contract, usual
from services.shipping.cod.reckoning import Account, Paid, differences, home, is_over

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
AT = NOW - timedelta(days=2)
RIGHT = Paid(lines=1, told=True, cod=350_000, paying=1, delivery_fee=22_000, fee=22_000, last=NOW)
DELIVERED = Account(
    status="delivered",
    status_at=AT,
    cod=350_000,
    collected=None,
    partial=False,
    value=300_000,
    quoted_fee=22_000,
    settled=False,
    written_off=False,
    contract=Contract("statement"),
    paid=RIGHT,
)


def named(account: Account, *, days: float = 0) -> list[tuple[str, int]]:
    return [(each.kind, each.amount) for each in differences(account, now=NOW + timedelta(days=days))]


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        (DELIVERED, []),
        (replace(DELIVERED, paid=replace(RIGHT, cod=300_000)), [("short", 50_000)]),
        (replace(DELIVERED, paid=replace(RIGHT, cod=360_000)), [("over", -10_000)]),
        (replace(DELIVERED, paid=replace(RIGHT, cod=700_000, paying=2)), [("double", -350_000)]),
        (replace(DELIVERED, paid=replace(RIGHT, delivery_fee=25_000)), [("wrong_fee", 3_000)]),
        (replace(DELIVERED, paid=replace(RIGHT, return_fee=5_000)), [("wrong_fee", 5_000)]),
        (replace(DELIVERED, quoted_fee=0, paid=replace(RIGHT, delivery_fee=25_000)), []),
        (replace(DELIVERED, status="returned"), [("returned_yet_paid", -350_000)]),
        (replace(DELIVERED, status="returning"), [("returned_yet_paid", -350_000)]),
        (replace(DELIVERED, status="returned", failed_fee=30_000, paid=replace(RIGHT, cod=30_000)), []),
        (replace(DELIVERED, status="returned", failed_fee=30_000), [("returned_yet_paid", -350_000)]),
        (replace(DELIVERED, status="out_for_delivery"), [("paid_not_delivered", -350_000)]),
        (replace(DELIVERED, status="returned", paid=replace(RIGHT, cod=0, delivery_fee=0)), []),
        (replace(DELIVERED, collected=175_000, partial=True), [("over", -175_000)]),
        (replace(DELIVERED, partial=True, paid=replace(RIGHT, cod=100_000)), []),
        (replace(DELIVERED, written_off=True, paid=replace(RIGHT, cod=0)), []),
    ],
)
def test_a_difference_has_the_name_of_what_is_wrong(account: Account, expected: list[tuple[str, int]]) -> None:
    assert named(account) == expected


def test_money_is_missing_from_the_day_that_was_agreed_on() -> None:
    unpaid = replace(DELIVERED, paid=Paid())
    assert named(unpaid, days=7.9) == []
    assert named(unpaid, days=8) == [("missing", 350_000)]
    assert named(replace(unpaid, settled=True), days=30) == []
    charged = replace(DELIVERED, paid=replace(RIGHT, cod=0, paying=0))
    assert named(charged) == []
    assert named(charged, days=8) == [("missing", 350_000)]


def test_a_lost_parcel_is_compensated_with_its_value_in_the_days_that_were_agreed() -> None:
    lost = replace(DELIVERED, status="lost", paid=Paid())
    assert named(lost, days=27) == []
    assert named(lost, days=28) == [("compensation_missing", 300_000)]
    part = replace(lost, paid=Paid(lines=1, told=True, compensation=100_000, last=NOW))
    assert named(part) == [("compensation_short", 200_000)]
    whole = replace(lost, paid=Paid(lines=1, told=True, compensation=300_000, last=NOW))
    assert home(whole) is not None
    believed = replace(lost, contract=usual("ghtk"))
    assert (named(believed, days=90), is_over(believed, open_differences=False)) == ([], True)


def test_money_is_home_by_what_was_agreed_to_be_the_proof() -> None:
    found = home(DELIVERED)
    assert found is not None
    assert (found.amount, found.evidence) == (350_000, "statement")
    by_bank = replace(DELIVERED, contract=Contract("bank"))
    assert home(by_bank) is None
    credited = home(replace(by_bank, paid=replace(RIGHT, credited=350_000)))
    assert credited is not None
    assert credited.evidence == "bank"
    assert home(replace(DELIVERED, status="returned")) is None


def test_a_parcel_s_money_is_over_when_it_is_home_or_given_up_and_nothing_is_open() -> None:
    assert not is_over(DELIVERED, open_differences=False)
    assert is_over(replace(DELIVERED, settled=True), open_differences=False)
    assert not is_over(replace(DELIVERED, settled=True), open_differences=True)
    assert is_over(replace(DELIVERED, written_off=True), open_differences=False)
    assert is_over(replace(DELIVERED, cod=0, paid=Paid()), open_differences=False)
    assert is_over(replace(DELIVERED, status="returned", paid=Paid()), open_differences=False)
    assert not is_over(replace(DELIVERED, status="returning", paid=Paid()), open_differences=False)


def payout(number: int, key: str, missing: int, on: date = date(2026, 11, 20), *, carrier: str = "ghtk") -> Payout:
    return Payout(UUID(int=number), carrier, key, missing, on)


def offer(number: int, amount: int, text: str = "", on: date = date(2026, 11, 21)) -> Offer:
    return Offer(UUID(int=100 + number), amount, text, on)


def test_a_credit_belongs_to_the_session_that_it_names_else_to_the_only_one_of_its_amount() -> None:
    payouts = [
        payout(1, "P2026", 500),
        payout(2, "P202611", 700),
        payout(3, "", 900),
        payout(4, "", 40),
        payout(5, "", 40),
    ]
    offers = [offer(1, 300, "TTCODP202611"), offer(2, 900), offer(3, 40), offer(4, 500, on=date(2026, 12, 20))]
    links = {(link.statement_id.int, link.credit_id.int, link.by) for link in belonging(payouts, offers)}
    assert links == {(2, 101, "number"), (3, 102, "amount")}


def test_money_of_one_carrier_is_never_given_to_a_statement_of_another() -> None:
    payouts = [payout(1, "20261120", 500), payout(2, "", 300)]
    offers = [offer(1, 500, "GHN TT COD 20261120"), offer(2, 300, "Giao Hàng Nhanh chuyển")]
    assert belonging(payouts, offers) == []
    [link] = belonging([*payouts, payout(3, "20261120", 500, carrier="ghn")], offers[:1])
    assert (link.statement_id.int, link.by) == (3, "number")


def test_a_session_is_not_named_by_digits_within_a_longer_number() -> None:
    def names(number: str, text: str) -> bool:
        return belonging([payout(1, number, 7)], [offer(1, 500, text)]) != []

    assert names("1234", "GHTK TT COD phiên 12-34.")
    assert names("1234", "TT COD PHIEN1234 NGAY 20/11")
    assert not names("1234", "GHTK TT COD FT2612345678")
    assert not names("1234", "GHTK tra 12.340.000 d")
    assert names("S20A", "ghtk s-20a")


def test_two_credits_that_look_alike_are_two_unless_the_bank_numbers_them() -> None:
    same = Credit(date(2026, 11, 20), 500, "GHTK")
    assert len(set(bank.keys([same, same]))) == 2
    assert bank.keys([same, same]) == bank.keys([same, same])
    numbered = replace(same, reference="FT1")
    assert len(set(bank.keys([numbered, numbered]))) == 1


def test_a_statement_is_compared_with_the_bank() -> None:
    def found(credited: int, *, proof: str = "bank", days: int = 0, net: int = 1_000) -> tuple[str, int] | None:
        contract = Contract(proof)  # type: ignore[arg-type]  # one of the words for a proof
        now = NOW + timedelta(days=days)
        wrong = bank.compare(net=net, credited=credited, paid_on=date(2026, 11, 22), contract=contract, now=now)
        return None if wrong is None else (wrong.kind, wrong.amount)

    assert found(0) is None
    assert found(0, days=4) == ("bank_missing", 1_000)
    assert found(0, days=4, proof="statement") is None
    assert found(400) is None
    assert found(400, days=4, proof="statement") == ("bank_short", 600)
    assert found(1_000, days=40) is None
    assert found(1_500) == ("bank_over", -500)
    assert found(0, days=40, net=-200) is None
