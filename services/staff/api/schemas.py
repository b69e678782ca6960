"""Bodies of requests and answers."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_core import PydanticCustomError

from services.staff.domain import PASSWORD_MOST
from services.staff.models import Account, Department, DutySwitch, Group
from services.staff.signing_in import Signed
from services.staff.tokens import ACCESS_TOKEN_LIFE
from shared.auth import Principal
from shared.contracts.permissions import PHONES_REVEAL, STAFF_ADMIN
from shared.phone.masking import masked


def _line(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise PydanticCustomError("control_character", "must be one line without control characters")
    return unicodedata.normalize("NFC", value)


Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120), AfterValidator(_line)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), AfterValidator(_line)]
Typed = Annotated[str, StringConstraints(max_length=200)]
"""Text that a rule of the domain reads and judges."""
Password = Annotated[SecretStr, Field(max_length=PASSWORD_MOST)]
RefreshToken = Annotated[SecretStr, Field(max_length=200)]


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [values]})


class Credentials(BaseModel):
    model_config = _example(login="lan.nguyen", password="mua-xuan-2027")

    login: Typed
    password: Password


class Renewal(BaseModel):
    model_config = _example(refresh_token="pb0xYbV0k4zv6n4kPz1vq0vJ2m1cLrN8Yw3uS5tQ7aE")

    refresh_token: RefreshToken


class PasswordChange(BaseModel):
    model_config = _example(current_password="tam-thoi-7391", new_password="mua-xuan-2027")

    current_password: Password
    new_password: Password


class ProfilePatch(BaseModel):
    """What everybody may edit of their own; a field that is missing or null stays as it is."""

    model_config = _example(phone="0912 345 678")

    name: Name | None = None
    phone: Typed | None = Field(default=None, description="'' removes it")


class AccountCreation(BaseModel):
    model_config = _example(
        login="lan.nguyen",
        name="Nguyễn Thị Lan",
        phone="0912 345 678",
        department="sale",
        group="sale",
        team="Sale 1",
        superior_id="0193a5b4-7c1e-7d4f-9f39-0c5f6a0b1c2d",
        temporary_password="tam-thoi-7391",
    )

    login: Typed
    name: Name
    phone: Typed = ""
    department: Department
    group: Typed
    team: Line = ""
    superior_id: UUID | None = Field(default=None, description="direct superior; null = nobody above")
    temporary_password: Password = Field(description="to be changed at the first sign-in")


class AccountPatch(BaseModel):
    """What an administrator may edit; a field that is missing stays as it is, and so does one that is null, but for
    `superior_id`."""

    model_config = _example(team="Sale 2", superior_id="0193a5b4-7c1e-7d4f-9f39-0c5f6a0b1c2d")

    login: Typed | None = None
    name: Name | None = None
    phone: Typed | None = Field(default=None, description="'' removes it")
    department: Department | None = None
    group: Typed | None = None
    team: Line | None = None
    superior_id: UUID | None = Field(default=None, description="direct superior; null = nobody above")


class Deactivation(BaseModel):
    model_config = _example(new_superior_id="0193a5b4-7c1e-7d4f-9f39-0c5f6a0b1c2d")

    new_superior_id: UUID | None = Field(
        default=None,
        description="who leads the direct subordinates from now on; one of their own takes the leaver's place",
    )


class TemporaryPassword(BaseModel):
    model_config = _example(temporary_password="tam-thoi-7391")

    temporary_password: Password = Field(description="to be changed at the next sign-in")


class AuditView(BaseModel):
    """Something that was done to an account."""

    id: UUID
    what: str = Field(description="password_reset")
    by: str = Field(description="staff code, or user@host of somebody with access to the machine")
    at: datetime


class AuditPage(BaseModel):
    items: list[AuditView]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class DutyChange(BaseModel):
    model_config = _example(on_duty=True)

    on_duty: bool = Field(strict=True)


class Label(BaseModel):
    model_config = _example(vi="Trưởng nhóm sale", en="Sales team leaders")

    vi: Name
    en: Name


class GroupCreation(BaseModel):
    model_config = _example(
        name="sale_lead",
        label={"vi": "Trưởng nhóm sale", "en": "Sales team leaders"},
        permissions=["leads.read", "orders.care", "orders.read", "staff.read"],
    )

    name: Typed
    label: Label
    permissions: list[Typed] = Field(max_length=100)


class GroupPatch(BaseModel):
    """A field that is missing or null stays as it is."""

    model_config = _example(permissions=["leads.read", "orders.care", "orders.read"])

    label: Label | None = None
    permissions: list[Typed] | None = Field(default=None, max_length=100)


class Superior(BaseModel):
    id: UUID
    code: str
    name: str


class AccountView(BaseModel):
    id: UUID
    code: str = Field(description="staff code, as people and workflows call the person")
    login: str
    name: str
    phone: str = Field(description="masked ('0912***678') unless it is one's own or one may see it")
    department: Department
    group: str
    team: str
    superior: Superior | None
    active: bool
    on_duty: bool = Field(description="'Nhận dữ liệu': gets numbers")
    must_change_password: bool
    version: int = Field(description="also the ETag, for If-Match")
    created_at: datetime
    updated_at: datetime


class Profile(AccountView):
    permissions: list[str]


class AccountPage(BaseModel):
    items: list[AccountView]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class SignedIn(BaseModel):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="seconds; then renew it with the refresh token")
    refresh_token: str = Field(description="good for one renewal, which brings the next")
    account: Profile


class DutyView(BaseModel):
    account_id: UUID
    on_duty: bool


class DutySwitchView(BaseModel):
    version: int
    on_duty: bool
    at: datetime
    by: str = Field(description="staff code of who switched")


class DutyPage(BaseModel):
    items: list[DutySwitchView]
    next: int | None = Field(description="`after` of the next page; null on the last")


class GroupView(BaseModel):
    name: str
    label: Label
    permissions: list[str]
    members: int
    version: int = Field(description="also the ETag, for If-Match")


class GroupPage(BaseModel):
    items: list[GroupView]
    next: str | None = Field(description="`after` of the next page; null on the last")


class DepartmentView(BaseModel):
    code: Department
    label: Label


def account_view(account: Account, who: Principal) -> AccountView:
    """An account as somebody may see it."""
    plain = who.account_id == account.id or who.may(PHONES_REVEAL) or who.may(STAFF_ADMIN)
    return AccountView(**_fields(account, phone=account.phone if plain or not account.phone else masked(account.phone)))


def profile(account: Account) -> Profile:
    """An account as its owner sees it."""
    return Profile(**_fields(account, phone=account.phone), permissions=list(account.permissions))


def signed_in(signed: Signed) -> SignedIn:
    return SignedIn(
        access_token=signed.access_token,
        expires_in=int(ACCESS_TOKEN_LIFE.total_seconds()),
        refresh_token=signed.refresh_token,
        account=profile(signed.account),
    )


def _fields(account: Account, *, phone: str) -> dict[str, Any]:
    superior = None
    if account.superior_id is not None:
        superior = Superior(id=account.superior_id, code=account.superior_code or "", name=account.superior_name or "")
    return {
        "id": account.id,
        "code": account.code,
        "login": account.login,
        "name": account.name,
        "phone": phone,
        "department": account.department,
        "group": account.group,
        "team": account.team,
        "superior": superior,
        "active": account.active,
        "on_duty": account.on_duty,
        "must_change_password": account.must_change_password,
        "version": account.version,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
    }


def duty_switch_view(switch: DutySwitch) -> DutySwitchView:
    return DutySwitchView(version=switch.version, on_duty=switch.on_duty, at=switch.at, by=switch.by)


def group_view(group: Group) -> GroupView:
    return GroupView(
        name=group.name,
        label=Label(vi=group.label_vi, en=group.label_en),
        permissions=list(group.permissions),
        members=group.members,
        version=group.version,
    )
