"""Who calls about a failed delivery first, and for how long: a setting of the company, kept with its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from services.orders.actors import Actor
from services.orders.rescue.turn import FirstCaller, Setting
from shared.db import ReadSession, Session
from shared.errors import PreconditionFailed

_MINUTE: Final = timedelta(minutes=1)
_COLUMNS: Final = "version, first_caller, call_minutes, at, by"
_PRESENT: Final = text(f"SELECT {_COLUMNS} FROM rescue_settings ORDER BY version DESC LIMIT 1")
_HISTORY: Final = text(
    f"SELECT {_COLUMNS} FROM rescue_settings WHERE version < :before ORDER BY version DESC LIMIT :limit"
)
_ONE_AT_A_TIME: Final = text("LOCK TABLE rescue_settings IN SHARE ROW EXCLUSIVE MODE")
_SAVE: Final = text(
    """
INSERT INTO rescue_settings (version, first_caller, call_minutes, at, by_id, by)
VALUES (:version, :first_caller, :call_minutes, :at, :by_id, :by)
"""
)


@dataclass(frozen=True)
class Version:
    """The setting with who made it so; as installed nobody did."""

    setting: Setting
    at: datetime | None = None
    by: str = ""


async def present(session: ReadSession) -> Version:
    """The setting in force."""
    row = (await session.execute(_PRESENT)).one_or_none()
    return _version(row) if row is not None else Version(Setting())


async def history(session: ReadSession, *, before: int, limit: int) -> list[Version]:
    """Versions below one, the newest first."""
    return [_version(row) for row in await session.execute(_HISTORY, {"before": before, "limit": limit})]


async def change(
    session: Session, *, first_caller: FirstCaller, call_time: timedelta, expected: int, at: datetime, by: Actor
) -> Version:
    """Puts another setting into force; the same again changes nothing.

    Args:
        expected: version of the setting that the editor has seen.

    Raises:
        PreconditionFailed: somebody changed it since.
    """
    await session.execute(_ONE_AT_A_TIME)
    before = await present(session)
    if before.setting.version != expected:
        raise PreconditionFailed
    if (before.setting.first_caller, before.setting.call_time) == (first_caller, call_time):
        return before
    values = {"version": expected + 1, "first_caller": first_caller, "call_minutes": call_time // _MINUTE}
    await session.execute(_SAVE, {**values, "at": at, "by_id": by.account_id, "by": by.code})
    return await present(session)


def _version(row: Any) -> Version:
    setting = Setting(row.first_caller, row.call_minutes * _MINUTE, row.version)
    return Version(setting, row.at, row.by)
