"""Rows of the staff database as the code sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

Department = Literal["marketing", "sale", "cod", "administration"]
DEPARTMENTS: tuple[Department, ...] = get_args(Department)


@dataclass(frozen=True)
class Draft:
    """What an administrator writes of an account."""

    login: str
    name: str
    phone: str
    """E.164, or ''."""
    department: Department
    group: str
    team: str
    superior_id: UUID | None


@dataclass(frozen=True)
class Account:
    """Somebody who works here, with what their group lets them do."""

    id: UUID
    code: str
    login: str
    name: str
    phone: str
    """E.164, or ''."""
    department: Department
    group: str
    permissions: tuple[str, ...]
    team: str
    superior_id: UUID | None
    superior_code: str | None
    superior_name: str | None
    active: bool
    must_change_password: bool
    token_epoch: int
    version: int
    on_duty: bool
    created_at: datetime
    updated_at: datetime

    @property
    def draft(self) -> Draft:
        """What of it an administrator may edit."""
        return Draft(
            login=self.login,
            name=self.name,
            phone=self.phone,
            department=self.department,
            group=self.group,
            team=self.team,
            superior_id=self.superior_id,
        )


@dataclass(frozen=True)
class AuditEntry:
    """Something that was done to an account."""

    id: UUID
    what: str
    by: str
    """Staff code, or user@host of who has access to the machine."""
    at: datetime


@dataclass(frozen=True)
class Group:
    """A set of function permissions ('nhóm quyền')."""

    name: str
    label_vi: str
    label_en: str
    permissions: tuple[str, ...]
    version: int
    members: int
    """Accounts in it, the inactive ones too."""


@dataclass(frozen=True)
class DutySwitch:
    """One switch of 'Nhận dữ liệu'."""

    version: int
    on_duty: bool
    at: datetime
    by: str
    """Staff code."""
