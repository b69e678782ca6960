"""What is refused before a carrier is called, which connection takes a parcel, and names of places."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from services.shipping.carriers.base import Carrier
from services.shipping.carriers.capabilities import Limits
from services.shipping.carriers.checking import fit_note
from services.shipping.carriers.ghn import Ghn
from services.shipping.carriers.ghtk import Ghtk
from services.shipping.carriers.jnt import digest
from services.shipping.carriers.parcel import Address, Options, Parcel, ParcelLine, PickUp
from services.shipping.carriers.registry import CARRIERS
from services.shipping.choosing import PostingRule, choose
from services.shipping.units.naming import keys_of, unit_key

PARCEL = Parcel(
    reference="DH-4F7K2M9Q-1",
    recipient="Trần Thị Mẫu",
    phone="+84900000099",
    to=Address("Đà Nẵng", "Phường Hải Châu", "5 Lê Lợi"),
    lines=(ParcelLine("Kem", "KD-50", 2, 190_000, 250),),
    cod=380_000,
    value=380_000,
    note="",
    pick_up=PickUp(
        name="Kho", phone="0900000001", province="Hà Nội", ward="Phường Cầu Giấy", detail="12 Trần Thái Tông"
    ),
)
NORTH, SOUTH = UUID(int=1), UUID(int=2)


def codes(parcel: Parcel, carrier: type[Carrier] = Ghn) -> set[str]:
    return {breach.code for breach in carrier.check(parcel)}


def weighing(grams: int) -> Parcel:
    return replace(PARCEL, lines=(replace(PARCEL.lines[0], quantity=1, weight_grams=grams),))


@pytest.mark.parametrize("name", sorted(CARRIERS))
def test_an_ordinary_parcel_breaks_no_rule_of_any_carrier(name: str) -> None:
    assert codes(PARCEL, CARRIERS[name]) == set()


@pytest.mark.parametrize(
    ("parcel", "code"),
    [
        (weighing(0), "weight_missing"),
        (weighing(-5), "weight_missing"),
        (weighing(50_001), "weight_over_limit"),
        (replace(PARCEL, cod=50_000_001), "cod_over_limit"),
        (replace(PARCEL, value=10_000_001), "value_over_limit"),
        (replace(PARCEL, phone="+12025550123"), "phone_unusable"),
        (replace(PARCEL, phone="0900000099"), "phone_unusable"),
        (replace(PARCEL, to=replace(PARCEL.to, ward=" ")), "address_incomplete"),
        (replace(PARCEL, reference="D" * 51), "reference_too_long"),
        (replace(PARCEL, options=Options(add_ons=("77",))), "add_on_unknown"),
    ],
)
def test_what_a_carrier_would_refuse_is_refused_with_its_rule(parcel: Parcel, code: str) -> None:
    assert code in codes(parcel)


def test_the_rule_names_the_carrier_its_limit_and_what_to_do_in_both_languages() -> None:
    [breach] = Ghn.check(replace(PARCEL, cod=60_000_000))
    assert "Giao Hàng Nhanh thu hộ tối đa 50.000.000 đ" in breach.vi
    assert "60.000.000" in breach.vi
    assert "Take a deposit" in breach.en


@pytest.mark.parametrize("name", sorted(CARRIERS))
def test_a_weight_in_tonnes_or_an_amount_in_milliards_is_absurd_for_every_carrier(name: str) -> None:
    assert "weight_over_limit" in codes(weighing(2_000_000), CARRIERS[name])
    assert "cod_over_limit" in codes(replace(PARCEL, cod=2_000_000_000), CARRIERS[name])


def test_options_of_another_carrier_are_refused_by_the_one_that_has_none() -> None:
    parcel = replace(PARCEL, options=Options(inspection="try", payer="customer", failed_delivery_fee=20_000))
    assert codes(parcel, CARRIERS["jnt"]) == {"no_inspection", "customer_cannot_pay", "no_failed_fee"}
    assert codes(parcel, Ghtk) == set()


def test_a_note_is_cut_at_a_word_in_characters_or_in_bytes() -> None:
    note = "Gọi trước khi giao " * 20
    assert fit_note(note, Limits()) == note
    assert len(fit_note(note, Limits(note_max=120))) <= 120
    cut = fit_note(note, Limits(note_max=150, note_in_bytes=True))
    assert len(cut.encode()) <= 150
    assert cut.split()[-1] in note.split()


def rule(connection: UUID, **conditions: object) -> PostingRule:
    return PostingRule.model_validate({"name": "x", "connection_id": connection, **conditions})


def test_the_first_rule_that_fits_chooses_and_a_disabled_connection_is_passed_over() -> None:
    rules = [rule(SOUTH, provinces=["TP Hồ Chí Minh"], below_grams=5000), rule(NORTH, from_cod=1_000_000), rule(SOUTH)]
    both = {NORTH, SOUTH}

    def chosen(province: str, grams: int, cod: int, enabled: set[UUID]) -> UUID | None:
        found = choose(rules, enabled=enabled, province=province, grams=grams, cod=cod)
        return found[0] if found else None

    assert chosen("Thành phố Hồ Chí Minh", 500, 0, both) == SOUTH
    assert chosen("Thành phố Hồ Chí Minh", 9000, 2_000_000, both) == NORTH
    assert chosen("Hà Nội", 500, 0, both) == SOUTH
    assert chosen("Hà Nội", 500, 0, {NORTH}) == NORTH
    assert choose([], enabled=both, province="Hà Nội", grams=1, cod=0) is None
    assert choose([], enabled={NORTH}, province="Hà Nội", grams=1, cod=0) == (NORTH, None)
    assert choose(rules, enabled=set(), province="Hà Nội", grams=1, cod=0) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Phường 01", "P. 1"),
        ("TP. Hồ Chí Minh", "Thành phố Hồ Chí Minh"),
        ("TP. Hồ Chí Minh", "HCM"),
        ("Thừa Thiên Huế", "Thành phố Huế"),
        ("Tỉnh Đắk Lắk", "Đắc Lắc"),
        ("Phường Bến Nghé", "Bến Nghé"),
    ],
)
def test_names_of_places_are_compared_whatever_their_spelling(one: str, other: str) -> None:
    assert unit_key(one) == unit_key(other)
    assert unit_key(other) in keys_of(one)


def test_a_district_and_the_town_of_the_same_name_stay_two() -> None:
    assert keys_of("Huyện Cao Lãnh")[0] != keys_of("Thành phố Cao Lãnh")[0]


def test_the_digest_of_j_and_t_is_base64_of_the_hexadecimal_text() -> None:
    assert digest('{"a":1}', "key") == "ODZiYjI3ZTFmYWExYjdhYTFjMWMzNDA5MDFlZmIyYWI="
