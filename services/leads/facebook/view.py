"""What the Temporal UI shows of a page: ids and counts only."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from services.leads.facebook.rounds import Standing
from shared.contracts.activities import OperatorView

PROBLEMS: Final = {
    "token_invalid": (
        "mã truy cập (token) không còn hiệu lực: nhập token mới",
        "the token is not valid: enter a new one",
    ),
    "not_allowed": ("ứng dụng thiếu quyền đọc lead của trang", "the app may not read the page's leads"),
    "rate_limited": ("Facebook yêu cầu gọi chậm lại", "Facebook asks us to slow down"),
    "away": ("Facebook không trả lời", "Facebook does not answer"),
    "credentials": (
        "khóa CHOT_CREDENTIALS_KEY đã đổi: nhập lại token",
        "CHOT_CREDENTIALS_KEY changed: enter the token again",
    ),
}


def view_of(standing: Standing, *, zone: str) -> OperatorView:
    """The sentence of a page."""
    if not standing.active:
        return _view(standing, "đã ngắt kết nối", "disconnected")
    vi = [f"{standing.pending} lead chờ lấy về, {standing.failed} không lấy được"]
    en = [f"{standing.pending} leads to fetch, {standing.failed} could not be fetched"]
    if standing.gap:
        vi.append(f"Facebook đếm nhiều hơn {standing.gap} lead so với những gì đọc được")
        en.append(f"Facebook counts {standing.gap} leads more than it shows")
    if standing.problem:
        problem_vi, problem_en = PROBLEMS[standing.problem]
        vi.append(problem_vi)
        en.append(problem_en)
    if standing.next_due is not None:
        at = f"{standing.next_due.astimezone(ZoneInfo(zone)):%H:%M:%S}"
        vi.append(f"lượt tới lúc {at}")
        en.append(f"next round at {at}")
    return _view(standing, "; ".join(vi), "; ".join(en))


def _view(standing: Standing, vi: str, en: str) -> OperatorView:
    return OperatorView(
        sentence_vi=f"Trang Facebook {standing.page_id}: {vi}.",
        sentence_en=f"Facebook page {standing.page_id}: {en}.",
        source=standing.page_id,
        overdue=bool(standing.problem),
    )
