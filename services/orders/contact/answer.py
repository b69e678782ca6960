"""The one answer to 'may this number be called, or written to, now?', and its record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.care import gate
from services.orders.care.facts import Pause
from services.orders.care.gate import Permission, Refusal
from services.orders.care.grounds import By, Ground, Purpose, Withdrawn
from services.orders.care.process import CareProcess
from services.orders.care.processes import Processes
from services.orders.care.reading import read_pause
from services.orders.contact import known
from services.orders.contact.known import Standing
from shared.db import ReadSession, Session

# An order follows the version of its care; where there is no care, the rules of the company's default process hold.
_PROCESS: Final = text(
    """
SELECT coalesce(k.process, d.key) AS key, coalesce(k.process_version, d.version) AS version,
    o.phone
FROM (
    SELECT v.key, max(v.version) AS version FROM process_versions v
    WHERE v.key = (SELECT fallback FROM process_choices ORDER BY version DESC LIMIT 1) GROUP BY v.key
) d LEFT JOIN orders o ON o.id = :id LEFT JOIN care k ON k.order_id = o.id
"""
)
_KEEP: Final = text(
    """
INSERT INTO contact_checks (id, at, phone, order_id, by, purpose, ground, how, since, consent_id, consent_text,
    consent_page, process, process_version, asked_id, asked_code)
VALUES (:id, :at, :phone, :order_id, :by, :purpose, :ground, :how, :since, :consent_id, :consent_text,
    :consent_page, :process, :process_version, :asked_id, :asked_code)
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether, by which ground; if not why, and from when on.

    Args:
        ground: also of a refusal for now, with which `permission.next_at` was reckoned; None: consent was taken back.
        in_24_hours, today: contacts of this kind to the number so far, about whatever product.
        check_id: the record of an answer that allowed it.
    """

    at: datetime
    phone: str
    order_id: UUID | None
    by: By
    purpose: Purpose
    permission: Permission
    ground: Ground | None
    process: str
    process_version: int
    in_24_hours: int
    today: int
    check_id: UUID | None = None


async def of_order(
    session: ReadSession, processes: Processes, order_id: UUID, *, by: By, purpose: Purpose, now: datetime
) -> Answer:
    """The answer for the number of an order that exists."""
    row = (await session.execute(_PROCESS, {"id": order_id})).one()
    process = await processes.get(session, row.key, row.version, now=now)
    standing = await known.of_order(session, order_id, now=now)
    pause = await read_pause(session, order_id)
    return await _answer(
        session, process, standing, row.phone, order_id=order_id, by=by, purpose=purpose, now=now, pause=pause
    )


async def of_number(session: ReadSession, processes: Processes, phone: str, *, by: By, now: datetime) -> Answer:
    """The answer for a number about which there is no order: nobody has asked for anything."""
    row = (await session.execute(_PROCESS, {"id": None})).one()
    process = await processes.get(session, row.key, row.version, now=now)
    standing = await known.of_number(session, phone, now=now)
    return await _answer(session, process, standing, phone, order_id=None, by=by, purpose="advertising", now=now)


async def _answer(
    session: ReadSession,
    process: CareProcess,
    standing: Standing,
    phone: str,
    *,
    order_id: UUID | None,
    by: By,
    purpose: Purpose,
    now: datetime,
    pause: Pause | None = None,
) -> Answer:
    found = standing.ground(by=by, purpose=purpose, at=now)
    made = await known.contacts(session, phone, by=by, now=now)
    ground = found if isinstance(found, Ground) else None
    asks = gate.Standing(
        by=by,
        asked=ground is not None and ground.asked,
        made=made,
        forbidden=_forbidden(standing, found, by=by, purpose=purpose, now=now),
        pause=pause,
    )
    window = process.calendar(gate.window_name(process, task=by, asked=asks.asked))
    midnight = window.midnight(window.local(now).date())
    return Answer(
        at=now,
        phone=phone,
        order_id=order_id,
        by=by,
        purpose=purpose,
        permission=gate.may_contact(process, asks, now),
        ground=ground,
        process=process.key,
        process_version=process.version,
        in_24_hours=sum(now - timedelta(hours=24) < at <= now for at in made),
        today=sum(midnight <= at <= now for at in made),
    )


def _forbidden(
    standing: Standing, found: Ground | Withdrawn, *, by: By, purpose: Purpose, now: datetime
) -> Refusal | None:
    """What forbids it altogether. Whoever left the number again since is called about that (rule D10)."""
    listed = standing.do_not_call_since if by == "call" else standing.forbids_messages_since
    if listed is not None:
        again = (each.at for each in standing.known.asked if each.how == "came_again" and each.at <= now)
        if purpose == "advertising" or not any(at > listed for at in again):
            return "do_not_call"
    return "consent_withdrawn" if isinstance(found, Withdrawn) else None


async def keep(session: Session, answer: Answer, actor: Actor) -> Answer:
    """Records an answer that allows a contact, so that the company can prove it; others change nothing."""
    if not answer.permission.allowed or answer.ground is None:
        return answer
    check_id: UUID = uuid7()
    await session.execute(_KEEP, _row(answer, answer.ground, actor) | {"id": check_id})
    return replace(answer, check_id=check_id)


def _row(answer: Answer, ground: Ground, actor: Actor) -> dict[str, Any]:
    return {
        "at": answer.at,
        "phone": answer.phone,
        "order_id": answer.order_id,
        "by": answer.by,
        "purpose": answer.purpose,
        "ground": ground.kind,
        "how": ground.how,
        "since": ground.since,
        "consent_id": ground.id,
        "consent_text": ground.text,
        "consent_page": ground.page,
        "process": answer.process,
        "process_version": answer.process_version,
        "asked_id": actor.account_id,
        "asked_code": actor.code,
    }
