"""What may be published but is rarely meant: numbers that undo each other, promises that nobody can watch over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Final

from services.orders.care.graph import Graph
from services.orders.care.problem import Problem, warning
from services.orders.care.process import After, CareProcess, Promised, duration_text

SHIFT: Final = timedelta(hours=8)
"""A working day. What takes longer outlasts the shift of whoever owes it, so somebody else finds it overdue."""
LONG_WAIT: Final = timedelta(days=60)
"""Beyond this a number in the pool is nobody's any more; consent ends 30 days after care (rule D38)."""


def warnings(process: CareProcess) -> tuple[Problem, ...]:
    """Hints about a process in which all names are known."""
    graph = Graph.of(process)
    return (
        *_sla(process, graph),
        *_caps(process, graph),
        *_escalations(process, graph),
        *_reasons(process, graph),
        *_never(process, graph),
    )


def _sla(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    for name, step in process.steps.items():
        # What is due at a time of day or by promise is looked at by whoever is on duty then.
        if step.promise == "first_call" and isinstance(step.due, After) and step.due.after + step.grace > SHIFT:
            limit = duration_text(step.due.after + step.grace)
            yield warning(
                "sla_longer_than_shift",
                f"steps.{name}.grace",
                graph.path_to(name),
                vi=f"Hạn gọi lần đầu {limit} dài hơn một ca {duration_text(SHIFT)}: người được chia có thể hết ca trước hạn.",
                en=f"The limit of the first call, {limit}, is longer than a shift of {duration_text(SHIFT)}: its owner may "
                "have gone home before it is broken.",
            )
        if step.task == "wait" and isinstance(step.due, After) and step.due.after > LONG_WAIT:
            yield warning(
                "long_wait",
                f"steps.{name}.due",
                graph.path_to(name),
                vi=f"Chờ {duration_text(step.due.after)} là quá lâu: sau 30 ngày kể từ khi hết chăm sóc, khách không còn đồng ý.",
                en=f"A wait of {duration_text(step.due.after)} is long: consent ends 30 days after care.",
            )
        days = step.due.max_days if isinstance(step.due, Promised) else None
        if days is not None and isinstance(step.due, Promised) and step.due.default > timedelta(days=days):
            yield warning(
                "default_beyond_limit",
                f"steps.{name}.due",
                graph.path_to(name),
                vi="Giờ hẹn mặc định xa hơn số ngày hẹn tối đa.",
                en="The default time lies beyond the days that a customer may be put off.",
            )


def _caps(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    caps = process.caps
    for name, step in process.steps.items():
        if step.promise == "retry" and isinstance(step.due, After) and step.due.after < caps.min_gap:
            yield warning(
                "cap_wins",
                f"steps.{name}.due",
                graph.path_to(name),
                vi=f"Gọi lại sau {duration_text(step.due.after)} nhưng hai cuộc phải cách {duration_text(caps.min_gap)}, "
                "nên việc sẽ dời.",
                en=f"A retry after {duration_text(step.due.after)}, yet calls are {duration_text(caps.min_gap)} apart, so it "
                "will be put off.",
            )
    tries = len(process.ladder.steps) + 1
    if caps.unanswered_in_care < tries:
        yield warning(
            "cap_wins",
            "caps.unanswered_in_care",
            graph.path_to(process.ladder.steps[-1]) if process.ladder.steps else (),
            vi=f"Quy trình có {tries} lần gọi nhưng chỉ cho {caps.unanswered_in_care} lần không nghe: các lần sau không tới.",
            en=f"There are {tries} tries, but only {caps.unanswered_in_care} may go unanswered: the last ones never come.",
        )


def _escalations(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    for name, step in process.steps.items():
        aim = step.due.after if isinstance(step.due, After) else timedelta()
        for number, rung in enumerate(process.rungs_of(name)):
            since_due = rung.after - aim if rung.since == "assigned" else rung.after
            if rung.since != "care" and rung.do == "request_reassignment" and since_due < step.grace:
                yield warning(
                    "taken_before_broken",
                    f"escalations.{step.escalate}.rungs.{number}",
                    graph.path_to(name),
                    vi="Số bị chuyển cho người khác khi hạn chưa qua.",
                    en="The number is taken away before the promise is broken.",
                )
        longest = step.snooze.at_most if step.snooze is not None else None
        if longest is not None and longest > step.grace:
            yield warning(
                "snooze_beyond_grace",
                f"steps.{name}.snooze.at_most",
                graph.path_to(name),
                vi=f"Cho hoãn nhắc {duration_text(longest)} nhưng chỉ được trễ {duration_text(step.grace)}: không ai hoãn "
                "được lâu thế, vì sau hạn là trễ hẹn.",
                en=f"A snooze of {duration_text(longest)} with a grace of {duration_text(step.grace)}: nobody can take it in "
                "full, since the promise is broken after the grace.",
            )
        if step.owner == "sale" and step.timeout is None and not process.rungs_of(name):
            yield warning(
                "nobody_told",
                f"steps.{name}.escalate",
                graph.path_to(name),
                vi="Trễ việc này thì không ai được nhắc. Thêm bậc thang nhắc việc.",
                en="Nobody is told when this is late. Add an escalation.",
            )


def _reasons(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    for name in process.steps:
        if process.reason_for(f"steps.{name}") is None:
            yield warning(
                "no_step_reason",
                f"steps.{name}",
                graph.path_to(name),
                vi="Bước này chưa nói vì sao có. Thêm lý do để người sửa sau biết.",
                en="Nobody has said why this step exists. Add a reason for whoever edits it next.",
            )


def _never(process: CareProcess, graph: Graph) -> Iterator[Problem]:
    ladder = process.ladder
    for earlier, later in pairwise(ladder.message.after_misses if ladder.message is not None else ()):
        if later <= earlier:
            yield warning(
                "out_of_order",
                "ladder.message.after_misses",
                vi="Các lần nhắn nên theo thứ tự tăng dần.",
                en="The misses after which a message is sent should come in rising order.",
            )
    for name, step in process.steps.items():
        known = [result for result in process.results if (name, result) in process.table]
        if step.end and known:
            yield warning(
                "results_at_end",
                f"rules.{name}",
                graph.path_to(name),
                vi="Bước kết thúc không nhận kết quả nào; hướng đi này không bao giờ dùng.",
                en="A step that ends the care takes no result; these ways are never gone.",
            )
