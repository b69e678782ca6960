"""What differs between two processes, in words: for whoever publishes one, and for the history of versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from services.orders.care import words
from services.orders.care.process import NEXT_TRY, SKIP_TRY, STAY, CareProcess, Goes, Hours, SnoozeLimits, Step, Text

_TARGETS: Final = {
    NEXT_TRY: Text(vi="lần gọi lại tiếp theo", en="the next try"),
    SKIP_TRY: Text(vi="bỏ một lần gọi lại", en="the try after the next"),
    STAY: Text(vi="giữ nguyên bước", en="staying at the step"),
}
_NONE: Final = Text(vi="không có", en="none")
_STEP: Final[dict[str, Text]] = {
    "name": Text(vi="tên", en="name"),
    "level": Text(vi="trạng thái", en="level"),
    "task": Text(vi="việc", en="task"),
    "owner": Text(vi="người làm", en="owner"),
    "promise": Text(vi="loại hẹn", en="kind of promise"),
    "due": Text(vi="hạn", en="due"),
    "grace": Text(vi="được trễ", en="grace"),
    "remind_before": Text(vi="nhắc trước", en="reminder before"),
    "snooze": Text(vi="hoãn nhắc", en="snooze"),
    "escalate": Text(vi="bậc thang nhắc việc", en="escalation"),
    "max": Text(vi="số lần tối đa", en="most visits"),
    "then": Text(vi="hết số lần thì sang", en="after that"),
    "done": Text(vi="gửi xong thì sang", en="once sent"),
    "timeout": Text(vi="quá hạn thì sang", en="when time is over"),
    "claimed": Text(vi="có người lấy thì sang", en="when claimed"),
    "came_again": Text(vi="khách để lại số lại thì sang", en="when the customer comes again"),
    "end": Text(vi="kết thúc", en="ends care"),
    "do_not_call": Text(vi="ghi danh sách không gọi", en="do-not-call list"),
    "archive": Text(vi="lưu trữ", en="archive"),
    "needs": Text(vi="bắt buộc ghi", en="must be given"),
}
_LINKS: Final = frozenset({"then", "done", "timeout", "claimed", "came_again"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `path` is its place in the data (of the later process; of the earlier one if it was removed)."""

    path: str
    kind: Literal["added", "removed", "changed"]
    text: Text


def difference(before: CareProcess, after: CareProcess) -> tuple[Change, ...]:
    """Everything that differs, steps first; nothing means that the two do the same and say the same."""
    return (
        *_steps(before, after),
        *_results(before, after),
        *_named(before, after),
        *_numbers(before, after),
        *_calendars(before, after),
        *_ladder(before, after),
        *_escalations(before, after),
        *_reasons(before, after),
    )


def _steps(before: CareProcess, after: CareProcess) -> Iterator[Change]:
    for name in after.steps:
        if name not in before.steps:
            shown = words.step_name(after, name)
            yield _added(f"steps.{name}", Text(vi=f"Thêm bước {shown.vi}.", en=f"New step {shown.en}."))
    for name in before.steps:
        if name not in after.steps:
            shown = words.step_name(before, name)
            yield _removed(f"steps.{name}", Text(vi=f"Bỏ bước {shown.vi}.", en=f"Step {shown.en} is removed."))
        else:
            yield from _step(before, after, name)
    yield from _answers(before, after)


def _step(before: CareProcess, after: CareProcess, name: str) -> Iterator[Change]:
    old, new = before.steps[name], after.steps[name]
    shown = words.step_name(after, name)
    for field, label in _STEP.items():
        if getattr(old, field) != getattr(new, field):
            was, now = _value(before, old, field), _value(after, new, field)
            yield _changed(
                f"steps.{name}.{field}",
                Text(
                    vi=f"Bước {shown.vi}: {label.vi} {was.vi} → {now.vi}.",
                    en=f"Step {shown.en}: {label.en} {was.en} → {now.en}.",
                ),
            )


def _value(process: CareProcess, step: Step, field: str) -> Text:
    value = getattr(step, field)
    if field == "due":
        return words.due(step.due)
    if isinstance(value, SnoozeLimits):
        return words.snooze(value)
    if isinstance(value, timedelta):
        return words.span(value)
    if isinstance(value, Text):
        return value
    if isinstance(value, bool):
        return Text(vi="có" if value else "không", en="yes" if value else "no")
    if value is None:
        return _NONE
    return _target(process, value) if field in _LINKS else Text(vi=str(value), en=str(value))


def _target(process: CareProcess, name: str) -> Text:
    return _TARGETS.get(name) or words.step_name(process, name)


def _answers(before: CareProcess, after: CareProcess) -> Iterator[Change]:
    """Where results lead. A rule often holds for many steps, so what changed alike is told once."""
    alike: dict[tuple[str, Goes | None, Goes | None], list[str]] = {}
    for name in after.steps:
        if name not in before.steps:
            continue  # a new step is told as a whole
        for result in dict.fromkeys((*before.results, *after.results)):
            old, new = before.table.get((name, result)), after.table.get((name, result))
            if old != new:
                alike.setdefault((result, old, new), []).append(name)
    for (result, old, new), names in alike.items():
        steps = [words.step_name(after, name) for name in names]
        answer, was, now = words.result_name(after, result), _goes(before, old), _goes(after, new)
        yield _changed(
            f"rules.{names[0]}.{result}",
            Text(
                vi=f"Bước {', '.join(s.vi for s in steps)}, kết quả {answer.vi}: {was.vi} → {now.vi}.",
                en=f"Step {', '.join(s.en for s in steps)}, result {answer.en}: {was.en} → {now.en}.",
            ),
        )


def _goes(process: CareProcess, goes: Goes | None) -> Text:
    if goes is None:
        return _NONE
    target = _target(process, goes.to)
    if goes.mark is None:
        return target
    return Text(vi=f"{target.vi} (đánh dấu {goes.mark})", en=f"{target.en} (mark {goes.mark})")


def _results(before: CareProcess, after: CareProcess) -> Iterator[Change]:
    for name in dict.fromkeys((*before.results, *after.results)):
        old, new = before.results.get(name), after.results.get(name)
        if old is None:
            shown = words.result_name(after, name)
            yield _added(f"results.{name}", Text(vi=f"Thêm kết quả {shown.vi}.", en=f"New result {shown.en}."))
        elif new is None:
            shown = words.result_name(before, name)
            yield _removed(f"results.{name}", Text(vi=f"Bỏ kết quả {shown.vi}.", en=f"Result {shown.en} is removed."))
        elif old != new:
            was, now = words.result_name(before, name), words.result_name(after, name)
            yield _changed(
                f"results.{name}", Text(vi=f"Kết quả {was.vi} → {now.vi}.", en=f"Result {was.en} → {now.en}.")
            )


def _named(before: CareProcess, after: CareProcess) -> Iterator[Change]:
    """Steps with a part of their own in the process, and its name and zone."""
    labels = {
        "start": Text(vi="Bước đầu", en="First step"),
        "pool": Text(vi="Bước của kho thả nổi", en="Step of the pool"),
        "do_not_call": Text(vi="Bước khi khách trong danh sách không gọi", en="Step of the do-not-call list"),
        "timezone": Text(vi="Múi giờ", en="Time zone"),
    }
    for field, label in labels.items():
        was, now = getattr(before, field), getattr(after, field)
        if was != now:
            yield _changed(field, _arrow(label, _target(before, was), _target(after, now)))
    if before.name != after.name:
        yield _changed("name", _arrow(Text(vi="Tên quy trình", en="Name"), before.name, after.name))
    yield from _mapping(
        "resume",
        before.resume,
        after.resume,
        label=lambda level: Text(vi=f"Chuyển tay về {level} thì vào", en=f"Set to {level} by hand it goes to"),
        shown=lambda value: _target(after if value in after.steps else before, value),
    )


def _numbers(before: CareProcess, after: CareProcess) -> Iterator[Change]:
    labels = {
        "calls_per_number_per_day": Text(vi="Số cuộc gọi tối đa một số một ngày", en="Most calls to a number a day"),
        "min_gap": Text(vi="Hai cuộc gọi cách nhau ít nhất", en="Least time between two calls"),
        "unanswered_in_care": Text(vi="Số lần không nghe tối đa", en="Most unanswered tries"),
        "advert_call_gap": Text(vi="Hai cuộc gọi quảng cáo cách nhau", en="Time between advertising calls"),
        "advert_messages": Text(vi="Số tin quảng cáo tối đa", en="Most advertising messages"),
    }
    yield from _mapping("caps", dict(before.caps), dict(after.caps), label=lambda field: labels[field], shown=_plain)
    windows = {
        "asked": Text(vi="Lịch gọi khách đã để lại số", en="Calendar for customers who asked"),
        "adverts": Text(vi="Lịch gọi quảng cáo", en="Calendar for advertising calls"),
        "messages": Text(vi="Lịch nhắn tin", en="Calendar for messages"),
    }
    yield from _mapping("windows", dict(before.windows), dict(after.windows), label=lambda n: windows[n], shown=_plain)
    if before.unowned != after.unowned:
        label = Text(vi="Báo quản lý khi không có người chăm sau", en="Manager told of a number without owner after")
        was, now = words.span(before.unowned.tell_manager), words.span(after.unowned.tell_manager)
        yield _changed("unowned.tell_manager", _arrow(label, was, now))


def _calendars(before: CareProcess, after: CareProcess) -> Iterator[Change]:
    yield from _mapping(
        "calendars",
        before.calendars,
        after.calendars,
        label=lambda name: _calendar_name(before, after, name),
        shown=_hours,
    )


def _calendar_name(before: CareProcess, after: CareProcess, name: str) -> Text:
    hours = after.calendars.get(name) or before.calendars[name]
    return Text(vi=f"Lịch “{hours.name.vi}”", en=f"Calendar “{hours.name.en}”")


def _hours(hours: Hours) -> Text:
    shown = "; ".join(f"{days} {', '.join(periods) or '–'}" for days, periods in hours.weekly.items())
    special = [*(f"{day:%d/%m/%Y} –" for day in sorted(hours.closed))]
    special += [f"{day:%d/%m/%Y} {', '.join(periods)}" for day, periods in sorted(hours.extra.items())]
    shown = "; ".join([shown, *special])
    holidays = (
        Text(vi="nghỉ lễ", en="closed on holidays") if hours.public_holidays else Text(vi="cả lễ", en="every day")
    )
    return Text(vi=f"{shown} ({holidays.vi})", en=f"{shown} ({holidays.en})")


def _ladder(before: CareProcess, after: CareProcess) -> Iterator[Change]:
    labels: dict[str, Text] = {
        "steps": Text(vi="Các lần gọi lại", en="Tries"),
        "then": Text(vi="Sau lần gọi lại cuối", en="After the last try"),
        "apart": Text(vi="Hai lần gọi lại cách nhau ít nhất", en="Least time between tries"),
        "switched_off": Text(vi="Kết quả thuê bao", en="Result of a switched-off telephone"),
        "switched_off_limit": Text(vi="Số lần thuê bao tối đa", en="Most times switched off"),
        "message": Text(vi="Nhắn tin về cuộc gọi nhỡ", en="Message about missed calls"),
    }
    for field, label in labels.items():
        was, now = getattr(before.ladder, field), getattr(after.ladder, field)
        if was != now:
            yield _changed(f"ladder.{field}", _arrow(label, _rung_value(before, was), _rung_value(after, now)))


def _rung_value(process: CareProcess, value: Any) -> Text:
    if isinstance(value, tuple):
        names = [words.step_name(process, name) for name in value]
        return Text(vi=", ".join(n.vi for n in names) or "–", en=", ".join(n.en for n in names) or "–")
    if isinstance(value, str):
        return _target(process, value)
    misses = getattr(value, "after_misses", None)
    if misses is not None:
        shown = ", ".join(map(str, misses))
        grace = words.span(value.grace)
        return Text(vi=f"sau lần {shown}, trong {grace.vi}", en=f"after misses {shown}, within {grace.en}")
    return _plain(value)


def _escalations(before: CareProcess, after: CareProcess) -> Iterator[Change]:
    def shown(value: Any) -> Text:
        rungs = [words.rung(each) for each in value.rungs]
        return Text(vi=", ".join(r.vi for r in rungs) or "–", en=", ".join(r.en for r in rungs) or "–")

    def label(name: str) -> Text:
        about = (after.escalations.get(name) or before.escalations[name]).name
        return Text(vi=f"Bậc thang “{about.vi}”", en=f"Escalation “{about.en}”")

    yield from _mapping("escalations", before.escalations, after.escalations, label=label, shown=shown)


def _reasons(before: CareProcess, after: CareProcess) -> Iterator[Change]:
    def quoted(value: Text) -> Text:
        return Text(vi=f"“{value.vi}”", en=f"“{value.en}”")

    yield from _mapping(
        "reasons",
        before.reasons,
        after.reasons,
        label=lambda path: Text(vi=f"Lý do của {path}", en=f"Reason of {path}"),
        shown=quoted,
    )


def _mapping(
    where: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    label: Callable[[str], Text],
    shown: Callable[[Any], Text],
) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        was, now = (shown(each) if each is not None else _NONE for each in (old, new))
        kind: Literal["added", "removed", "changed"]
        kind = "added" if old is None else "removed" if new is None else "changed"
        yield Change(path=f"{where}.{name}", kind=kind, text=_arrow(label(name), was, now))


def _plain(value: Any) -> Text:
    return words.span(value) if isinstance(value, timedelta) else Text(vi=str(value), en=str(value))


def _arrow(label: Text, was: Text, now: Text) -> Text:
    return Text(vi=f"{label.vi}: {was.vi} → {now.vi}.", en=f"{label.en}: {was.en} → {now.en}.")


def _added(path: str, text: Text) -> Change:
    return Change(path=path, kind="added", text=text)


def _removed(path: str, text: Text) -> Change:
    return Change(path=path, kind="removed", text=text)


def _changed(path: str, text: Text) -> Change:
    return Change(path=path, kind="changed", text=text)
