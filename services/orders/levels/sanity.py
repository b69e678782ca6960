"""What must stay true of levels and moves whatever a company does with them; a change that breaks it is refused. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from services.orders.levels.catalogue import PERMISSIONS, Catalogue, Rule, needs_to_enter, required_by_system
from shared.contracts import levels, permissions

_CARRIERS = frozenset({levels.SENT, levels.DELIVERED})
_BY_HAND_AFTER_POSTING = (levels.SENT, levels.CANCELLED_AFTER_POSTING)
"""The one move that people make in the carriers' circle: before pick-up (rule D5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a catalogue may not be. `code` is stable, `where` names the move or level."""

    code: str
    where: str
    vi: str
    en: str


def faults(catalogue: Catalogue, *, named: Collection[str]) -> list[Fault]:
    """Everything that is wrong with a catalogue.

    Args:
        named: the levels to which care processes that are current or running bring orders.
    """
    found = [fault for rule in catalogue.rules.values() for fault in _of_rule(catalogue, rule)]
    return [*found, *_missing(catalogue, named)]


def _of_rule(catalogue: Catalogue, rule: Rule) -> Iterator[Fault]:
    where = f"{rule.from_level}>{rule.to_level}"
    before, after = catalogue.levels[rule.from_level], catalogue.levels[rule.to_level]
    if rule.allows("staff"):
        if rule.permission not in PERMISSIONS:
            yield Fault(
                code="unknown_permission",
                where=where,
                vi=f"Quyền phải là một trong: {', '.join(PERMISSIONS)}.",
                en=f"The permission has to be one of: {', '.join(PERMISSIONS)}.",
            )
        if levels.NEW in (before.main, after.main):
            yield Fault(
                code="leads_decide",
                where=where,
                vi="Đơn mới và đơn trùng do khâu nhận số quyết định (bỏ đánh trùng ở Marketing).",
                en="New numbers and duplicates are decided by leads: release or merge them there.",
            )
    by_us = rule.allows("staff") or rule.allows("system")
    if by_us and {before.main, after.main} & _CARRIERS:
        if rule.key != _BY_HAND_AFTER_POSTING or rule.allows("system"):
            yield Fault(
                code="carriers_circle",
                where=where,
                vi="L7 và L8 chỉ đi theo thông tin của hãng vận chuyển (quy tắc D1).",
                en="L7 and L8 follow what the carrier says alone (rule D1).",
            )
        elif rule.permission != permissions.ORDERS_CANCEL or "reason" not in rule.requires:
            yield _cancelling(where)
    elif rule.allows("staff"):
        yield from _by_hand(catalogue, rule, where)
    if rule.allows("system") and levels.CLOSED in (before.main, after.main):
        yield Fault(
            code="people_close",
            where=where,
            vi="Chốt, hủy và mở lại đơn là việc của người, không phải của quy trình.",
            en="Closing, cancelling and reopening are done by people, never by the process.",
        )


def _by_hand(catalogue: Catalogue, rule: Rule, where: str) -> Iterator[Fault]:
    """What people may do at L1 and L5."""
    before, after = catalogue.levels[rule.from_level], catalogue.levels[rule.to_level]
    if before.in_care and after.in_care:
        missing = [need for need in needs_to_enter(after) if need not in rule.requires]
        if (after.is_main or not before.is_open) and "reason" not in rule.requires:
            missing.append("reason")
        if missing:
            yield Fault(
                code="requirement_missing",
                where=where,
                vi=f"Bước chuyển này phải yêu cầu: {', '.join(missing)} (quy tắc D13, D15, D27).",
                en=f"This move has to require: {', '.join(missing)} (rules D13, D15, D27).",
            )
    elif before.in_care and after.code == levels.CLOSED:
        if not before.is_open or rule.requires != ("order",) or rule.fields:
            yield Fault(
                code="closing_unlike",
                where=where,
                vi="Chỉ chốt từ trạng thái đang chăm, và 'Chốt đơn' có biểu mẫu riêng: chỉ yêu cầu 'order' (quy tắc D16).",
                en="An order is closed from an open level, and the closing has a form of its own: require 'order' alone (D16).",
            )
    elif before.code == levels.CLOSED and after.in_care:
        known = rule.permission == permissions.ORDERS_REOPEN and "reason" in rule.requires
        if not known or not after.is_open or after.is_main:
            yield Fault(
                code="reopening_unguarded",
                where=where,
                vi="Mở lại đơn đã chốt cần quyền orders.reopen, lý do, và một trạng thái con đang mở của L1 (quy tắc D15).",
                en="Reopening needs orders.reopen, a reason, and an open child of L1 (rule D15).",
            )
    elif rule.key == (levels.CLOSED, levels.CANCELLED_AFTER_CLOSING):
        if rule.permission != permissions.ORDERS_CANCEL or "reason" not in rule.requires:
            yield _cancelling(where)
    elif levels.NEW not in (before.main, after.main):
        yield Fault(
            code="not_by_hand",
            where=where,
            vi="Không ai chuyển tay được giữa hai trạng thái này (quy tắc D5).",
            en="Nobody moves an order between these levels by hand (rule D5).",
        )


def _cancelling(where: str) -> Fault:
    return Fault(
        code="cancelling_unguarded",
        where=where,
        vi="Hủy đơn cần quyền orders.cancel và lý do (quy tắc D5).",
        en="Cancelling needs orders.cancel and a reason (rule D5).",
    )


def _missing(catalogue: Catalogue, named: Collection[str]) -> Iterator[Fault]:
    """Moves without which a fact or a result would lead nowhere."""
    in_care = {level.code for level in catalogue.levels.values() if level.in_care and not level.is_main}
    for level in catalogue.care_levels():
        wanted = set(required_by_system(level))
        if level.is_open:
            wanted |= in_care & set(named)
        for to in sorted(wanted - {level.code}):
            rule = catalogue.rule(level.code, to)
            if rule is None or not rule.allows("system"):
                yield Fault(
                    code="system_move_missing",
                    where=f"{level.code}>{to}",
                    vi="Quy trình chăm sóc hoặc khâu nhận số cần bước chuyển này ('care' phải bật).",
                    en="The care process, or a fact of leads, needs this move ('care' has to be on).",
                )
    for key in ((levels.NEW, levels.CLEAN), (levels.DUPLICATE, levels.CLEAN), (levels.WRONG_NUMBER, levels.CLEAN)):
        rule = catalogue.rules.get(key)
        if rule is None or not rule.allows("system"):
            yield Fault(
                code="system_move_missing",
                where=f"{key[0]}>{key[1]}",
                vi="Khâu nhận số cần bước chuyển này.",
                en="A fact of leads needs this move.",
            )
    for key in ((levels.CLOSED, levels.CANCELLED_AFTER_CLOSING), _BY_HAND_AFTER_POSTING):
        rule = catalogue.rules.get(key)
        if rule is None or not rule.allows("staff"):
            yield Fault(
                code="cancelling_missing",
                where=f"{key[0]}>{key[1]}",
                vi="Đơn đã chốt phải hủy được (quy tắc D5).",
                en="It must be possible to cancel an order (rule D5).",
            )
    for level in catalogue.care_levels():
        rule = catalogue.rule(level.code, levels.CLOSED)
        if level.is_open and (rule is None or not rule.allows("staff")):
            yield Fault(
                code="closing_missing",
                where=f"{level.code}>{levels.CLOSED}",
                vi="Từ mọi trạng thái đang chăm phải chốt được đơn.",
                en="It must be possible to close an order from every open level of L1.",
            )
