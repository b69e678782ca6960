"""Numbers of a process in words, in both languages."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.orders.care.process import After, At, CareProcess, Due, OtherHalf, Promised, Rung, SnoozeLimits, Text

_UNITS: Final[tuple[tuple[int, str, str], ...]] = (
    (86_400, "ngày", "day"),
    (3_600, "giờ", "hour"),
    (60, "phút", "minute"),
    (1, "giây", "second"),
)
_ACTIONS: Final = {
    "remind_owner": Text(vi="nhắc người chăm", en="remind the owner"),
    "tell_manager": Text(vi="báo quản lý", en="tell the manager"),
    "open_to_team": Text(vi="mở cho cả nhóm", en="open it to the team"),
    "request_reassignment": Text(vi="xin chia lại", en="ask for another owner"),
    "release_to_pool": Text(vi="thả vào kho", en="release it to the pool"),
}
_SINCE: Final = {
    "due": Text(vi="sau hạn", en="after it is due"),
    "assigned": Text(vi="sau khi chia", en="after the assignment"),
    "care": Text(vi="sau khi bắt đầu chăm sóc", en="after care began"),
}


def span(value: timedelta) -> Text:
    """`15 phút`, `15 minutes`: in the largest unit that needs no fraction."""
    seconds = int(value.total_seconds())
    if seconds == 0:
        return Text(vi="0 phút", en="0 minutes")
    size, vi, en = next(unit for unit in _UNITS if seconds % unit[0] == 0)
    number = seconds // size
    return Text(vi=f"{number} {vi}", en=f"{number} {en}" + ("" if number == 1 else "s"))


def snooze(value: SnoozeLimits) -> Text:
    """How far a task may step back; what the step leaves to the settings is not told."""
    parts = []
    if value.at_most is not None:
        most = span(value.at_most)
        parts.append(Text(vi=f"mỗi lần nhiều nhất {most.vi}", en=f"{most.en} at a time"))
    if value.times is not None:
        parts.append(Text(vi=f"nhiều nhất {value.times} lần", en=f"{value.times} time{'s' * (value.times != 1)}"))
    return Text(vi=", ".join(part.vi for part in parts), en=", ".join(part.en for part in parts))


def due(value: Due | None) -> Text:
    """When a step's task is due."""
    match value:
        case None:
            return Text(vi="không có", en="none")
        case After(after=after, clock=clock):
            hours = Text(vi=" (giờ gọi)", en=" of calling time") if clock == "window" else Text(vi="", en="")
            return Text(vi=f"sau {span(after).vi}{hours.vi}", en=f"after {span(after).en}{hours.en}")
        case At(days=0, at=at):
            return Text(vi=f"lần tới lúc {at:%H:%M}", en=f"the next {at:%H:%M}")
        case At(days=days, at=at):
            return Text(
                vi=f"{days} ngày sau" + (f" lúc {at:%H:%M}" if at else " cùng giờ"),
                en=f"{days} day{'s' * (days > 1)} later" + (f" at {at:%H:%M}" if at else " at the same time"),
            )
        case OtherHalf(split=split, evening=evening, morning=morning):
            return Text(
                vi=f"trước {split:%H:%M} thì {evening:%H:%M} cùng ngày, sau đó thì {morning:%H:%M} hôm sau",
                en=f"before {split:%H:%M} at {evening:%H:%M} the same day, later at {morning:%H:%M} the next",
            )
        case Promised(default=default, else_at=else_at, max_days=days):
            most = Text(vi=f", tối đa {days} ngày", en=f", {days} days at most") if days else Text(vi="", en="")
            return Text(
                vi=f"theo hẹn với khách (không hẹn: sau {span(default).vi} hoặc {else_at:%H:%M} hôm sau{most.vi})",
                en=f"as promised (else after {span(default).en}, or at {else_at:%H:%M} the next day{most.en})",
            )


def rung(value: Rung) -> Text:
    """One escalation."""
    what, since, after = _ACTIONS[value.do], _SINCE[value.since], span(value.after)
    return Text(vi=f"{what.vi} {after.vi} {since.vi}", en=f"{what.en} {after.en} {since.en}")


def step_name(process: CareProcess, name: str) -> Text:
    """What people call a step: its name, or its key where the process has none such."""
    step = process.steps.get(name)
    return Text(vi=f"“{step.name.vi}”", en=f"“{step.name.en}”") if step is not None else Text(vi=name, en=name)


def result_name(process: CareProcess, name: str) -> Text:
    """What people call a call result."""
    about = process.results.get(name)
    return Text(vi=f"“{about.name.vi}”", en=f"“{about.name.en}”") if about is not None else Text(vi=name, en=name)
