"""One sentence for the operator: who must do what by when, and why. Staff codes only, nothing of the customer."""

from __future__ import annotations

from datetime import datetime

from services.orders.care.facts import Facts, StepState, Task
from services.orders.care.process import CareProcess, Text


def sentence(process: CareProcess, facts: Facts, state: StepState, tasks: dict[str, Task], *, now: datetime) -> Text:
    """Say where the care stands, in Vietnamese and English."""
    step = process.steps[state.step]
    why = _why(process, facts, state)
    if state.ended:
        if not step.end:
            return Text(vi=f"Đã kết thúc chăm sóc ở {state.level}.", en=f"Care has ended at {state.level}.")
        return Text(vi=f"Đã kết thúc chăm sóc: {step.name.vi}.", en=f"Care has ended: {step.name.en}.")
    if state.paused:
        until = facts.pause.until if facts.pause is not None else None
        return Text(
            vi=f"Tạm dừng ở bước “{step.name.vi}”" + (f" đến {_shown(process, until)}." if until else "."),
            en=f"Paused at step “{step.name.en}”" + (f" until {_shown(process, until)}." if until else "."),
        )
    task = tasks.get(state.task) if state.task is not None else None
    if task is None:
        until = state.due_at
        return Text(
            vi=f"{step.name.vi}: chờ người lấy số"
            + (f" đến {_shown(process, until)}" if until else "")
            + f", vì {why.vi}.",
            en=f"{step.name.en}: waits to be claimed"
            + (f" until {_shown(process, until)}" if until else "")
            + f", because {why.en}.",
        )
    who = _who(facts, task)
    due, deadline = _shown(process, task.due_at), _shown(process, task.deadline_at)
    late = now > task.deadline_at
    return Text(
        vi=f"{who.vi} phải làm “{step.name.vi}” lúc {due}, chậm nhất {deadline}"
        + (" (đã trễ)" if late else "")
        + f", vì {why.vi}.",
        en=f"{who.en} must do “{step.name.en}” at {due}, by {deadline} at the latest"
        + (" (overdue)" if late else "")
        + f", because {why.en}.",
    )


def _who(facts: Facts, task: Task) -> Text:
    if facts.owner is None:
        return Text(vi="Chưa có người chăm; người được chia", en="Nobody yet; whoever is assigned")
    if task.owner_code:
        return Text(
            vi=f"{task.owner_code} (nhận gọi thay {facts.owner.code})",
            en=f"{task.owner_code} (took the call for {facts.owner.code})",
        )
    if task.owner_id != facts.owner.id:
        return Text(vi=f"Bất kỳ ai trong nhóm của {facts.owner.code}", en=f"Anyone in the team of {facts.owner.code}")
    return Text(vi=facts.owner.code, en=facts.owner.code)


def _why(process: CareProcess, facts: Facts, state: StepState) -> Text:
    if state.commanded_at is not None and state.commanded_at >= max(
        state.care_since, state.last_at or state.care_since
    ):
        at = _shown(process, state.commanded_at)
        return Text(vi=f"người điều hành yêu cầu lúc {at}", en=f"an operator asked for it at {at}")
    known = state.last_result in process.results  # another version, to which the care went over, may not
    if state.last_result is not None and known and state.last_at is not None and state.last_at >= state.care_since:
        name, at = process.results[state.last_result].name, _shown(process, state.last_at)
        return Text(vi=f"kết quả lúc {at} là “{name.vi}”", en=f"the result at {at} was “{name.en}”")
    if state.came_again_at is not None and state.came_again_at >= state.care_since:
        at = _shown(process, state.came_again_at)
        return Text(vi=f"khách để lại số lại lúc {at}", en=f"the customer left the number again at {at}")
    if not state.called:
        at = _shown(process, facts.assigned_at)
        return Text(vi=f"chưa ai gọi từ khi chia số lúc {at}", en=f"nobody has called since the assignment at {at}")
    at = _shown(process, state.entered_at)
    return Text(vi=f"đơn vào bước này lúc {at}", en=f"the order came to this step at {at}")


def _shown(process: CareProcess, at: datetime) -> str:
    local = process.calendar(process.windows.asked).local(at)
    return f"{local.day:02}/{local.month:02}/{local.year} {local.hour:02}:{local.minute:02}"
