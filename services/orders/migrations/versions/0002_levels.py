"""The levels of a fresh installation and every allowed move between them (domain.md's funnel, its rules)."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

LEVELS: Final = [
    # code, vi, en, kind, colour
    ("C3", "Đơn mới", "New", "open", "#8aa0b8"),
    ("C3.1", "Đơn trùng", "Duplicate", "final", "#b8b8b8"),
    ("L1", "Đã lọc trùng", "Clean", "open", "#3b82f6"),
    ("L1.1", "Sai số", "Wrong number", "final", "#9ca3af"),
    ("L1.2", "Chăm sóc lại", "Care again", "open", "#6366f1"),
    ("L1.3", "Từ chối tiếp xúc", "Refuses contact", "final", "#6b7280"),
    ("L1.4", "Không liên lạc được", "Unreachable", "open", "#f59e0b"),
    ("L1.5", "Không mua", "Not buying", "final", "#78716c"),
    ("L1.6", "Hẹn mua", "Will buy later", "open", "#8b5cf6"),
    ("L5", "Đã chốt", "Closed", "open", "#10b981"),
    ("L5.3", "Hủy sau chốt", "Cancelled after closing", "final", "#ef4444"),
    ("L7", "Đã gửi", "Sent", "open", "#0ea5e9"),
    ("L7.1", "Đang giao", "Out for delivery", "open", "#06b6d4"),
    ("L7.2", "Giao không thành công", "Delivery failed", "open", "#f97316"),
    ("L7.5", "Đang hoàn", "Returning", "open", "#e11d48"),
    ("L7.3", "Đã hoàn", "Returned", "final", "#be123c"),
    ("L7.6", "Thất lạc, hư hỏng", "Lost or damaged", "final", "#7f1d1d"),
    ("L7.4", "Hủy sau đăng đơn", "Cancelled after posting", "final", "#dc2626"),
    ("L8", "Giao thành công", "Delivered", "final", "#16a34a"),
]

Move = tuple[str, str, list[str], str, list[str]]
"""From, to, who, permission that staff need, what staff must give."""

IN_CARE: Final = ("L1", "L1.2", "L1.4", "L1.6")
GIVEN_UP: Final = ("L1.1", "L1.3", "L1.5")
MOVING: Final = ("L7", "L7.1", "L7.2")
"""One circle in which only carrier facts move (rule D1)."""
ARRIVED: Final = ("L7.3", "L7.6", "L8")
CANCELLED: Final = ("L5.3", "L7.4")


def moves() -> list[Move]:
    """Every allowed move."""
    care = "orders.care"
    # The care process and the results of calls move freely among the children of L1 (rule D15).
    needs = {"L1.1": ["call"], "L1.3": ["call"], "L1.5": ["reason"]}
    found: list[Move] = [("C3", "L1", ["system"], care, [])]
    for before in IN_CARE:
        found += [(before, after, ["staff", "system"], care, []) for after in IN_CARE if after not in (before, "L1")]
        found += [(before, after, ["staff", "system"], care, needs[after]) for after in GIVEN_UP]
        found.append((before, "L5", ["staff"], care, ["order"]))
    for before in GIVEN_UP:
        # The system does it when the customer leaves the number again (rule D10).
        found.append((before, "L1.2", ["staff", "system"], care, ["reason"]))
    found.append(("L1.1", "L1", ["staff"], care, ["reason"]))
    # Facts may overtake one another, so the carrier may skip levels, also from L5.
    carried = (*MOVING, "L7.5", *ARRIVED)
    for before in ("L5", *MOVING, "L7.5"):
        found += [(before, after, ["carrier"], care, []) for after in carried if after != before]
    found += [(before, "L5", ["carrier"], care, []) for before in MOVING]  # pick-up failed for good (rule D6)
    found.append(("L5", "L5.3", ["staff"], "orders.cancel", ["reason"]))
    found.append(("L7", "L7.4", ["staff", "carrier"], "orders.cancel", ["reason"]))
    found.append(("L5", "L7.4", ["carrier"], care, []))
    for before in (*ARRIVED, *CANCELLED):
        found += [(before, after, ["correction"], care, []) for after in carried if after != before]
    return found


def upgrade() -> None:
    connection = op.get_bind()
    connection.execute(
        sa.text(
            "INSERT INTO levels (code, vi, en, kind, parent, colour, position) "
            "VALUES (:code, :vi, :en, :kind, nullif(split_part(:code, '.', 1), :code), :colour, :position)"
        ),
        [
            {"code": code, "vi": vi, "en": en, "kind": kind, "colour": colour, "position": position}
            for position, (code, vi, en, kind, colour) in enumerate(LEVELS, start=1)
        ],
    )
    connection.execute(
        sa.text(
            "INSERT INTO level_transitions (from_level, to_level, who, permission, requires) "
            "VALUES (:before, :after, :who, :permission, :requires)"
        ),
        [
            {"before": before, "after": after, "who": who, "permission": permission, "requires": requires}
            for before, after, who, permission, requires in moves()
        ],
    )
