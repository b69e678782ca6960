"""The one place where the level of an order changes: by the table of allowed moves, as one append-only transition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import Actor
from services.orders.care.process import Text
from services.orders.causes import REQUEST, Causes
from services.orders.levels.catalogue import CustomField
from services.orders.levels.errors import FieldsRequired, NoteRequired, NotYourGroup
from services.orders.levels.store import fields_of
from services.orders.record import Order
from shared import outbox
from shared.contracts.events.orders import LEVEL_CHANGED, LevelChanged
from shared.db import ReadSession, Session
from shared.errors import Forbidden, Problem

CALL_RESULT: Final = "call_result"


class MoveNotAllowed(Problem):
    type = "move-not-allowed"
    status = 409
    vi = "Đơn đang ở {from_vi}, không chuyển sang {to_vi} được. {choose_vi}"
    en = "The order is at {from_en} and cannot go to {to_en}. {choose_en}"


class ReasonRequired(Problem):
    type = "reason-required"
    status = 422
    vi = "Cần ghi lý do khi chuyển từ {from_vi} sang {to_vi}. Điền lý do rồi gửi lại."
    en = "Going from {from_en} to {to_en} needs a reason. Give one and send again."


class CallRequired(Problem):
    type = "call-required"
    status = 422
    vi = "Chỉ chuyển sang {to_vi} bằng kết quả của một cuộc gọi. Ghi cuộc gọi với kết quả đó."
    en = "{to_en} is reached by the result of a call only. Log the call with that result."


class ClosingRequired(Problem):
    type = "closing-required"
    status = 422
    vi = "Chỉ chuyển sang {to_vi} bằng “Chốt đơn”. Bấm “Chốt đơn”, điền đủ sản phẩm và địa chỉ."
    en = "{to_en} is reached by closing the order only. Close it with its lines and address."


@dataclass(frozen=True)
class Move:
    """A wish to change a level.

    Args:
        at: when it happened (a carrier's time, the time of the call).
        recorded_at: when we learnt of it.
        cause: accepted, call_result, care, carrier, operator, cancel, closed, undo, came_again, released, corrected,
            merged, spam.
        given: which of the table's requirements the caller has seen to, of 'call' and 'order'.
    """

    to: str
    at: datetime
    recorded_at: datetime
    cause: str
    reason: str = ""
    note: str = ""
    given: frozenset[str] = frozenset()
    fields: Mapping[str, str] = field(default_factory=dict)
    """What the company wants filled in for this move, by key."""

    @property
    def is_result(self) -> bool:
        """What somebody says of a call is true whoever they are: permission and group are asked of moves by hand."""
        return self.cause == CALL_RESULT


# The lock makes a move wait for whoever retires the level, and the other way round. What care decides under an older
# version of its process still happens there: a retired level is out of reach of people, and nothing is lost.
_RULE = text(
    """
SELECT t.who, t.permission, t.requires, t.groups, t.fields, l.kind = 'final' AS final,
    l.retired_at IS NOT NULL AS retired
FROM level_transitions t JOIN levels l ON l.code = t.to_level
WHERE t.from_level = :from_level AND t.to_level = :to_level
FOR KEY SHARE OF l
"""
)
_GROUP_OF = text("SELECT group_name FROM staff_members WHERE account_id = :id AND version > 0")
_IS_FINAL = text("SELECT kind = 'final' FROM levels WHERE code = :level")
_IS_OPEN = text("SELECT kind = 'open' FROM levels WHERE code = :level")
_SET = text("UPDATE orders SET level = :to_level, level_since = :at, sequence = :sequence WHERE id = :order_id")
_ALLOWED = text(
    """
SELECT t.to_level AS code, l.vi, l.en, l.colour, t.requires, t.permission, t.groups, t.fields
FROM level_transitions t JOIN levels l ON l.code = t.to_level AND l.retired_at IS NULL
WHERE t.from_level = :level AND 'staff' = ANY(t.who) ORDER BY l.position
"""
)
_NAME = text("SELECT vi, en FROM levels WHERE code = :code")
_RECORD = text(
    """
INSERT INTO transitions
    (id, order_id, sequence, from_level, to_level, at, recorded_at, cause, actor_id, actor_code, reason, note, fields)
SELECT t.id, order_id, sequence, from_level, to_level, at, recorded_at, cause, actor_id, actor_code, reason, note,
    CAST(fields AS jsonb)
FROM unnest(
    CAST(:id AS uuid[]), CAST(:order_id AS uuid[]), CAST(:sequence AS integer[]), CAST(:from_level AS text[]),
    CAST(:to_level AS text[]), CAST(:at AS timestamptz[]), CAST(:recorded_at AS timestamptz[]), CAST(:cause AS text[]),
    CAST(:actor_id AS uuid[]), CAST(:actor_code AS text[]), CAST(:reason AS text[]), CAST(:note AS text[]),
    CAST(:fields AS text[]))
    AS t (id, order_id, sequence, from_level, to_level, at, recorded_at, cause, actor_id, actor_code, reason, note, fields)
"""
)


async def move_level(session: Session, order: Order, move: Move, actor: Actor) -> Order:
    """Changes the level of a locked order and returns the order as it is then; a move to where it is does nothing.

    Raises:
        MoveNotAllowed: the table has no such move for this kind of actor.
        Forbidden: the actor lacks the permission of the move.
        NotYourGroup: it is for others.
        ReasonRequired, CallRequired, ClosingRequired, NoteRequired, FieldsRequired: what the table asks of staff is missing.
    """
    if move.to == order.level:
        return order
    levels = {"from_level": order.level, "to_level": move.to}
    rule = (await session.execute(_RULE, levels)).one_or_none()
    if rule is None or not _may(rule, move, actor):
        raise await not_allowed(session, order.level, move.to)
    if actor.kind == "staff":
        await _check(session, rule, move, actor, levels)
    moved = replace(order, level=move.to, level_since=move.at, sequence=order.sequence + 1)
    await session.execute(_SET, {"order_id": order.id, "to_level": move.to, "at": move.at, "sequence": moved.sequence})
    await record(session, [(order.level, moved, move)], actor, final=rule.final)
    return moved


async def take_back(session: Session, order: Order, *, to: str, since: datetime, now: datetime, actor: Actor) -> Order:
    """Brings a locked order back to the level at which it stood before its last transition, as if that had not been: by
    another transition, whatever the table says, because the table let it come from there.

    Args:
        to, since: where it stood, and since when.
    """
    if to == order.level:
        return order
    final = (await session.execute(_IS_FINAL, {"level": to})).scalar_one()
    moved = replace(order, level=to, level_since=since, sequence=order.sequence + 1)
    await session.execute(_SET, {"order_id": order.id, "to_level": to, "at": since, "sequence": moved.sequence})
    move = Move(to, at=now, recorded_at=now, cause="undo")
    await record(session, [(order.level, moved, move)], actor, final=final)
    return moved


def _may(rule: Any, move: Move, actor: Actor) -> bool:
    """Whether the table names this kind of actor. Results that people log are the care process's own moves."""
    if actor.kind != "staff":
        return actor.kind in rule.who
    if move.is_result:
        return "staff" in rule.who or "system" in rule.who
    return "staff" in rule.who and not rule.retired


async def _check(session: Session, rule: Any, move: Move, actor: Actor, levels: dict[str, str]) -> None:
    if not move.is_result:
        if rule.permission not in actor.permissions:
            raise Forbidden(permission=rule.permission)
        if rule.groups and await _group_of(session, actor) not in rule.groups:
            raise NotYourGroup(groups=", ".join(rule.groups), **await _named(session, levels))
    if (refused := _missing(rule, move)) is not None:
        raise refused(**await _named(session, levels))
    _check_fields(fields_of(rule.fields), move)


def _missing(rule: Any, move: Move) -> type[Problem] | None:
    """What the table asks for and the move lacks."""
    if "reason" in rule.requires and not move.reason.strip():
        return ReasonRequired
    if "call" in rule.requires and "call" not in move.given:
        return CallRequired
    if "order" in rule.requires and "order" not in move.given:
        return ClosingRequired
    if "note" in rule.requires and not move.note.strip():
        return NoteRequired
    return None


async def not_allowed(session: ReadSession, from_level: str, to_level: str) -> MoveNotAllowed:
    """The refusal of a move, with where a person may go from there."""
    names = await _named(session, {"from_level": from_level, "to_level": to_level})
    there = await allowed_for_staff(session, from_level)
    choose = {
        "choose_vi": "Chọn một trong: " + ", ".join(f"“{each['vi']}” ({each['code']})" for each in there) + ".",
        "choose_en": "Choose one of: " + ", ".join(f"“{each['en']}” ({each['code']})" for each in there) + ".",
    }
    nowhere = {
        "choose_vi": "Từ đây không ai chuyển bằng tay: trạng thái đi theo kho và hãng vận chuyển. Tải lại đơn.",
        "choose_en": "Nobody moves it by hand from there: it follows stock and carrier. Load it again.",
    }
    return MoveNotAllowed(**names, **(choose if there else nowhere))


async def level_name(session: ReadSession, code: str) -> Text:
    """A level as people call it, for a sentence: its name with the code behind; a code that nobody knows as it is."""
    row = (await session.execute(_NAME, {"code": code})).one_or_none()
    return Text(vi=f"“{row.vi}” ({code})", en=f"“{row.en}” ({code})") if row is not None else Text(vi=code, en=code)


async def _named(session: ReadSession, levels: dict[str, str]) -> dict[str, str]:
    at, to = await level_name(session, levels["from_level"]), await level_name(session, levels["to_level"])
    return {**levels, "from_vi": at.vi, "from_en": at.en, "to_vi": to.vi, "to_en": to.en}


async def _group_of(session: Session, actor: Actor) -> str | None:
    return (await session.execute(_GROUP_OF, {"id": actor.account_id})).scalar_one_or_none()


def _check_fields(wanted: Sequence[CustomField], move: Move) -> None:
    wrong = [each for each in wanted if not each.accepts(move.fields.get(each.key, "").strip())]
    if wrong:
        raise FieldsRequired(
            to_level=move.to,
            fields=[each.model_dump() for each in wrong],
            names_vi=", ".join(each.vi for each in wrong),
            names_en=", ".join(each.en for each in wrong),
        )


async def record(
    session: Session,
    moved: Sequence[tuple[str, Order, Move]],
    actor: Actor,
    *,
    final: bool = False,
    causes: Causes = REQUEST,
) -> None:
    """Writes transitions and their events: (level before, order as it is now, move). Only the changes of levels in this
    module and the birth of orders at their first level call this.

    Args:
        final: whether the level to which they go ends an order (rule D35).
    """
    rows: list[dict[str, Any]] = [
        {
            "id": uuid7(),
            "order_id": order.id,
            "sequence": order.sequence,
            "from_level": before,
            "to_level": move.to,
            "at": move.at,
            "recorded_at": move.recorded_at,
            "cause": move.cause,
            "actor_id": actor.account_id,
            "actor_code": actor.code,
            "reason": move.reason,
            "note": move.note,
            "fields": orjson.dumps(dict(move.fields)).decode(),
        }
        for before, order, move in moved
    ]
    if not rows:
        return
    await session.execute(_RECORD, {column: [row[column] for row in rows] for column in rows[0]})
    events = []
    for row, (before, order, move) in zip(rows, moved, strict=True):
        with causes.of(order.id):
            event = _event(row["id"], before, order, move, actor, final=final)
            events.append(outbox.event_row(LEVEL_CHANGED, event, subject=order.id, event_id=row["id"]))
    await outbox.write(session, events)


def _event(transition_id: UUID, before: str, order: Order, move: Move, actor: Actor, *, final: bool) -> LevelChanged:
    return LevelChanged(
        transition_id=transition_id,
        order_id=order.id,
        sequence=order.sequence,
        from_level=before,
        to_level=move.to,
        at=move.at,
        recorded_at=move.recorded_at,
        cause=move.cause,
        actor=actor.code,
        owner_id=order.owner_id,
        owner_code=order.owner_code,
        team=order.team,
        channel=order.channel,
        campaign=order.campaign,
        landing_page=order.landing_page,
        marketer=order.marketer,
        product=order.product,
        cohort_at=order.cohort_at,
        final=final,
    )


async def is_open(session: ReadSession, level: str) -> bool:
    """Whether orders at a level are still worked on, as the company says (rule D35)."""
    return bool((await session.execute(_IS_OPEN, {"level": level})).scalar_one())


async def allowed_for_staff(session: ReadSession, level: str) -> list[dict[str, object]]:
    """Where a person may move an order from a level, and what each move needs; for the screen."""
    return [dict(row._mapping) for row in (await session.execute(_ALLOWED, {"level": level})).all()]
