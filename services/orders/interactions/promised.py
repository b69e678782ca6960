"""How far ahead a customer may be promised something: who keeps a number for a promise of next year keeps it from others."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.orders.care.process import CareProcess, Promised
from shared.errors import Problem


class PromiseTooFar(Problem):
    type = "promise-too-far"
    status = 422
    vi = "Hẹn xa nhất {days} ngày, đến {latest}. Chọn ngày gần hơn; đến lúc đó gọi và hẹn lại với khách."
    en = "A customer is promised something {days} days ahead at most, until {latest}. Choose an earlier day, and agree anew then."


def check(process: CareProcess, step: str, promised_at: datetime, *, at: datetime, days: int) -> None:
    """
    Args:
        step: where the result leads; its `max_days` come before the company's.
        at: when it was agreed.
        days: the company's setting.

    Raises:
        PromiseTooFar: it is later.
    """
    due = process.steps[step].due
    most = due.max_days if isinstance(due, Promised) and due.max_days is not None else days
    latest = at + timedelta(days=most)
    if promised_at > latest:
        raise PromiseTooFar(days=most, latest=latest)
