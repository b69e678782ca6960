"""The duplicate window as a setting of the company: read, changed without a restart, with its history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from services.leads.api.dependencies import Distributor, Limit, Reader
from services.leads.driver import connection_of
from services.leads.intake import policy
from services.leads.intake.items import MAX_PRODUCT
from services.leads.intake.policy import Setting
from services.leads.state import LeadsRuntime, RuntimeDep
from shared.db import ReadSession
from shared.errors import Mistake, PreconditionFailed
from shared.etag import ExpectedVersion, tag

router = APIRouter(prefix="/v1/settings/duplicates", tags=["settings"])

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PRODUCT)]


class DuplicatesIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "days": 7,
                "by_product": True,
                "product_groups": {"SERUM-30": "Chăm sóc da", "KEM-50": "Chăm sóc da"},
            }
        },
    )

    days: int = Field(
        ge=0, le=365, description="the same phone within days x 24 hours of its first arrival is a duplicate; 0: never"
    )
    by_product: bool = Field(
        default=False, description="the product group is part of the key: the same phone for another one is a new lead"
    )
    product_groups: dict[Code, Code] = Field(
        default={}, max_length=2_000, description="product code → group; a product without one is a group of its own"
    )

    @field_validator("product_groups")
    @classmethod
    def _each_once(cls, groups: dict[str, str]) -> dict[str, str]:
        if len({code.casefold() for code in groups}) != len(groups):
            raise Mistake(
                "một sản phẩm có hai lần; chữ hoa hay thường cũng là một",
                "a product is named twice; capital letters make no difference",
            )
        return groups


class DuplicatesOut(BaseModel):
    days: int
    by_product: bool
    product_groups: dict[str, str]
    version: int = Field(description="also the ETag, for If-Match; 0: as installed")
    changed_at: datetime | None
    changed_by: str = Field(description="staff code")


class DuplicatesPage(BaseModel):
    items: list[DuplicatesOut]
    next: int | None = Field(description="`after` of the next page; null on the last")


@router.get("")
async def get_setting(_: Reader, runtime: RuntimeDep, response: Response) -> DuplicatesOut:
    """How arrivals are judged now."""
    async with runtime.db.read() as session:
        setting = await _present(session, runtime)
    tag(response, setting.version)
    return _shown(setting)


@router.put("")
async def change_setting(
    body: DuplicatesIn, version: ExpectedVersion, who: Distributor, runtime: RuntimeDep, response: Response
) -> DuplicatesOut:
    """Changes how numbers that arrive from now on are judged. Verdicts and windows that stand stay as they are."""
    async with runtime.db.transaction() as session:
        connection = await connection_of(session)
        changed = await policy.change(
            connection,
            expected=version,
            **body.model_dump(),
            at=datetime.now(UTC),
            by_id=who.account_id,
            by=who.code,
        )
        if not changed:
            raise PreconditionFailed
        setting = await _present(session, runtime)
    tag(response, setting.version)
    return _shown(setting)


@router.get("/history")
async def list_versions(
    _: Distributor, runtime: RuntimeDep, limit: Limit = 50, after: Annotated[int | None, Query(ge=0, lt=2**31)] = None
) -> DuplicatesPage:
    """What the setting was and who changed it, newest first."""
    async with runtime.db.read() as session:
        found = await policy.history(await connection_of(session), before=after or 2**31 - 1, limit=limit)
    items = [_shown(setting) for setting in found]
    return DuplicatesPage(items=items, next=items[-1].version if len(items) == limit else None)


async def _present(session: ReadSession, runtime: LeadsRuntime) -> Setting:
    return await policy.present(await connection_of(session), default=runtime.settings.duplicate_window)


def _shown(setting: Setting) -> DuplicatesOut:
    return DuplicatesOut(
        days=setting.days,
        by_product=setting.by_product,
        product_groups=dict(setting.product_groups),
        version=setting.version,
        changed_at=setting.at,
        changed_by=setting.by,
    )
