"""An address against the official units: taken by codes, or found by its text."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.orders.addresses import store
from services.orders.addresses.loading import Era
from services.orders.addresses.naming import read_query, unit_key
from services.orders.addresses.store import Successor, UnitView
from services.orders.hiding import unmasked
from shared.db import ReadSession
from shared.errors import Language, Mistake, Problem

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
Code = Annotated[str, StringConstraints(pattern=r"^[0-9]*$", max_length=5)]
CANDIDATES: Final = 10
"""How many units an address that names none of them is offered at most."""


class UnknownUnit(Problem):
    type = "unknown-address-unit"
    status = 422
    vi = (
        "Mã {code} không có trong danh mục {era}. Chọn lại tỉnh/thành, phường/xã từ danh sách, hoặc bỏ mã và gõ địa chỉ "
        "bằng chữ."
    )
    en = "There is no {code} in the {era} list. Choose province and ward from the list, or leave codes out and type."


class UnitElsewhere(Problem):
    type = "address-unit-elsewhere"
    status = 422
    vi = "{name} ({code}) thuộc {belongs_to}, không thuộc {said}. Chọn lại cho khớp."
    en = "{name} ({code}) lies in {belongs_to}, not in {said}. Choose units that belong together."


class UnitsNotLoaded(Problem):
    type = "address-units-not-loaded"
    status = 409
    vi = "Danh mục phường/xã chưa được nạp. Gõ địa chỉ bằng chữ, hoặc nhờ quản trị nạp danh mục."
    en = "The list of wards has not been loaded. Type the address as text, or have an administrator load the list."


class DeliveryAddress(BaseModel):
    """Where it goes: province, ward and detail since July 2025; the district only for an address of the old form.

    A unit is named by its code, as text, or both: a code is checked, text is kept as it was typed.
    """

    model_config = ConfigDict(extra="forbid")

    province: Line = Field(default="", examples=["Thành phố Hồ Chí Minh"])
    ward: Line = Field(default="", examples=["Phường Bến Thành"])
    detail: Annotated[Line, StringConstraints(min_length=1)] = Field(examples=["12 Lê Lợi"])
    district: Line = ""
    province_code: Code = Field(default="", examples=["79"])
    district_code: Code = ""
    ward_code: Code = Field(default="", description="of its era: with a district that of before July 2025")

    @model_validator(mode="after")
    def _names_its_units(self) -> DeliveryAddress:
        if not (self.ward or self.ward_code):
            raise Mistake("cần ward hoặc ward_code", "ward or ward_code is needed")
        if not (self.province or self.province_code or self.ward_code):
            raise Mistake(
                "cần province, province_code hoặc ward_code", "province, province_code or ward_code is needed"
            )
        return self

    @property
    def era(self) -> Era:
        return "three_tier" if self.district or self.district_code else "two_tier"


def unmasked_address(sent: DeliveryAddress, present: DeliveryAddress) -> DeliveryAddress:
    """An address of which some lines came back with stars for the numbers in them (rule D26)."""
    lines = ("province", "district", "ward", "detail")
    return sent.model_copy(update={line: unmasked(getattr(sent, line), getattr(present, line)) for line in lines})


class Checked(BaseModel):
    """What the official lists say of an address."""

    valid: bool = Field(description="its units exist and lie in one another")
    address: DeliveryAddress = Field(description="with the codes and names that were found")
    era: Era
    problem: str = Field(description="type of what is wrong; empty if nothing is", examples=["ambiguous"])
    message: str
    candidates: list[UnitView] = Field(description="units that may be meant, the likeliest first")
    successors: list[Successor] = Field(description="of an old address: the wards that its ward became")


async def checked(session: ReadSession, address: DeliveryAddress) -> DeliveryAddress:
    """The address with what its codes say: higher codes and names that were left out. Without codes it stays as it is.

    Raises:
        UnknownUnit, UnitElsewhere: a code is none of its era, or the units do not lie in one another.
        UnitsNotLoaded: there are codes and nothing to check them against.
    """
    era = address.era
    given = {code for code in (address.province_code, address.district_code, address.ward_code) if code}
    if not given:
        return address
    units = await store.get(session, era, list(given))
    for code in sorted(given, key=len):
        if code not in units:
            if len(code) > 2 and not await store.has_wards(session, era):
                raise UnitsNotLoaded
            raise UnknownUnit(code=code, era=era)
    for code, tier in (
        (address.province_code, "province"),
        (address.district_code, "district"),
        (address.ward_code, "ward"),
    ):
        if code and units[code].tier != tier:
            raise UnknownUnit(code=code, era=era)
    return _filled(address, units[max(given, key=len)])


def _filled(address: DeliveryAddress, lowest: UnitView) -> DeliveryAddress:
    if address.province_code not in ("", lowest.province_code):
        raise UnitElsewhere(name=lowest.name, code=lowest.code, belongs_to=lowest.province, said=address.province_code)
    if lowest.tier == "ward" and address.district_code not in ("", lowest.district_code):
        raise UnitElsewhere(name=lowest.name, code=lowest.code, belongs_to=lowest.district, said=address.district_code)
    update = {"province": address.province or lowest.province, "province_code": lowest.province_code}
    if lowest.tier == "ward":
        update |= {"ward": address.ward or lowest.name, "district": address.district or lowest.district}
        update |= {"district_code": lowest.district_code}
    elif lowest.tier == "district":
        update |= {"district": address.district or lowest.name}
    return address.model_copy(update=update)


class AmbiguousWard(Problem):
    type = "ambiguous"
    status = 422
    vi = "Có nhiều phường/xã giống thế này. Chọn một trong 'candidates'."
    en = "Several wards may be meant. Choose one of 'candidates'."


class NoSuchWard(Problem):
    type = "no-such-ward"
    status = 422
    vi = "Không tìm thấy phường/xã này. Kiểm tra lại tên và tỉnh/thành."
    en = "No such ward was found. Check its name and the province."


async def validate(session: ReadSession, address: DeliveryAddress, *, language: Language) -> Checked:
    """Says of an address what closing would, and finds the units of one that is only text."""
    era = address.era

    def said(found: DeliveryAddress, problem: Problem, candidates: list[UnitView]) -> Checked:
        return Checked(
            valid=False,
            address=found,
            era=era,
            problem=problem.type,
            message=problem.detail(language),
            candidates=candidates,
            successors=[],
        )

    try:
        found = await checked(session, address)
    except Problem as problem:
        near = await store.search(session, _typed(address), era=era, tier="ward", limit=CANDIDATES)
        return said(address, problem, near)
    if not found.ward_code:
        within = found.province_code or None
        near = await store.search(session, _typed(found), era=era, tier="ward", within=within, limit=CANDIDATES)
        meant = _meant(found.ward, near)
        if meant is None:
            nothing = NoSuchWard() if await store.has_wards(session, era) else UnitsNotLoaded()
            return said(found, AmbiguousWard() if near else nothing, near)
        found = _filled(found.model_copy(update={"ward_code": meant.code}), meant)
    successors = await store.became(session, [found.ward_code]) if era == "three_tier" else []
    return Checked(valid=True, address=found, era=era, problem="", message="", candidates=[], successors=successors)


def _meant(ward: str, near: list[UnitView]) -> UnitView | None:
    """The one of these that has just the name that was typed; with its kind, if a kind was typed."""
    query = read_query(ward)
    if query is None:
        return None
    keys = [(unit, unit_key(unit.name)) for unit in near]
    same = [unit for unit, key in keys if query.key in (key.own, key.short)]
    return same[0] if len(same) == 1 else None


def _typed(address: DeliveryAddress) -> str:
    return ", ".join(filter(None, (address.ward, address.district, address.province)))
