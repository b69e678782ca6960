"""“Why did this person get this lead?”, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from services.leads.distribution import CLOSER, LEAD, RETURNING, Member, Waiting

_STANDING: Final[dict[str, tuple[str, str]]] = {
    "off_duty": ("tạm ngưng nhận số", "off duty"),
    "paused": ("đang tạm nghỉ nhận số", "paused"),
    "off_shift": ("ngoài ca", "outside their shift"),
    "holiday": ("nghỉ lễ", "on holiday"),
    "inactive": ("tài khoản đã khóa", "account locked"),
    "full": ("đã đủ {load}/{capacity} số đang chăm", "has {load} of {capacity} leads in care"),
    "day_full": ("đã đủ quota ngày {today}/{day_quota}", "has {today} of {day_quota} leads of the day's quota"),
    "shift_full": (
        "đã đủ quota ca {in_shift}/{shift_quota}",
        "has {in_shift} of {shift_quota} leads of the shift's quota",
    ),
    "excluded": ("vừa bị thu hồi số này", "this lead was taken from them"),
    "unskilled": ("không phụ trách sản phẩm, nguồn này", "does not take this product or source"),
}
_RELEASES: Final[dict[str, tuple[str, str]]] = {
    "floating_pool": ("đưa vào kho số thả nổi", "put into the floating pool"),
    "reassignment": ("thu hồi, chờ người khác nhận", "taken away, waiting for somebody else"),
    "hand_over": ("thu hồi để bàn giao", "taken back to be handed over"),
    "duplicate": ("hóa ra là đơn trùng, không chăm riêng nữa", "turned out to be a duplicate, not cared for by itself"),
}
_ASKED: Final[dict[str, tuple[str, str]]] = {
    "reassignment": ("Chuyển người chăm theo {by}.", "Reassigned because {by} asked for it."),
    "hand_over": ("{by} bàn giao.", "Handed over by {by}."),
}
"""What a round was asked for, before its own reason."""


@dataclass(frozen=True, slots=True)
class Sentence:
    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Considered:
    """A member of the pool as they stood when a lead's turn came. `state` is free or what stood in the way.

    `owed` counts leads: what the weights say should have come and has not, before this one.
    """

    account_id: UUID
    code: str
    weight: int
    owed: float
    state: str
    load: int
    capacity: int | None
    today: int = 0
    day_quota: int | None = None
    in_shift: int = 0
    shift_quota: int | None = None


def considered(members: Sequence[Member], codes: Mapping[UUID, str], lead: Waiting) -> list[Considered]:
    """The members as a decision saw them."""
    return [
        Considered(
            member.account_id,
            codes.get(member.account_id, ""),
            member.weight,
            round(member.credit / LEAD, 3),
            member.obstacle(lead) or "free",
            member.load,
            member.capacity,
            member.today,
            member.day_quota,
            member.in_shift,
            member.shift_quota,
        )
        for member in members
    ]


def of_decision(
    *,
    pool: str,
    round_number: int,
    cause: str,
    by: str = "",
    reason: str = "",
    owner: UUID,
    owner_code: str,
    people: Sequence[Considered],
) -> Sentence:
    """Why a round of a pool chose somebody. `by`: who asked for the round, if it was a person."""
    chosen = next(one for one in people if one.account_id == owner)
    free = [one for one in people if one.state == "free"]
    weights = sum(one.weight for one in free)
    others = _passed_over(people)
    if cause == "sticky" and reason == CLOSER:
        vi = (
            f"Khách cũ do {owner_code} chốt đơn gần nhất, đang nhận số, nên số về lại {owner_code} "
            f"(nhóm “{pool}”, lượt {round_number})."
        )
        en = (
            f"{owner_code} closed this customer's last order and is on duty, so it went back "
            f"({pool}, round {round_number})."
        )
    elif cause == "sticky":
        vi = (
            f"Khách cũ của {owner_code}, đang nhận số, nên số về lại {owner_code} (nhóm “{pool}”, lượt {round_number})."
        )
        en = f"{owner_code} held this number last and is on duty, so it went back ({pool}, round {round_number})."
    else:
        owed = chosen.owed + chosen.weight / weights
        vi = (
            f"Chia tự động trong nhóm “{pool}”, lượt {round_number}: tới lượt {owner_code} trong {len(free)} người đang nhận "
            f"số (hệ số {chosen.weight}/{weights}, còn thiếu {_number(owed)} số so với phần được chia)."
        )
        en = (
            f"Distributed in pool “{pool}”, round {round_number}: it was {owner_code}'s turn among {len(free)} who were free "
            f"(weight {chosen.weight} of {weights}, {owed:.2f} leads behind their share)."
        )
        if cause in _ASKED:
            asked_vi, asked_en = _ASKED[cause]
            vi = f"{asked_vi.format(by=by or 'quy trình chăm sóc')} {vi}"
            en = f"{asked_en.format(by=by or 'the care process')} {en}"
        if reason == RETURNING:
            vi = "Khách cũ, chuyển cho nhóm chăm khách cũ. " + vi
            en = "A returning customer, for the pool that cares for them. " + en
    return Sentence(f"{vi} {others.vi}".strip(), f"{en} {others.en}".strip())


def of_hand(*, cause: str, by: str, reason: str, owner_code: str, previous_code: str | None) -> Sentence:
    """A person decided."""
    if cause == "claim":
        return Sentence(
            f"{owner_code} lấy số này từ kho số thả nổi.", f"{owner_code} claimed this number from the floating pool."
        )
    because = f": {reason}" if reason else ""
    lost_vi, lost_en = (f" từ {previous_code}", f" from {previous_code}") if previous_code else ("", "")
    if cause == "hand_over":
        return Sentence(
            f"{by} bàn giao số{lost_vi} cho {owner_code}{because}.",
            f"{by} handed it over{lost_en} to {owner_code}{because}.",
        )
    if cause == "reassignment":
        return Sentence(
            f"{by} chuyển người chăm{lost_vi} sang {owner_code}{because}.",
            f"{by} reassigned it{lost_en} to {owner_code}{because}.",
        )
    return Sentence(f"{by} giao tay cho {owner_code}{because}.", f"{by} assigned it by hand to {owner_code}{because}.")


def of_release(*, cause: str, by: str, reason: str, previous_code: str | None) -> Sentence:
    """Somebody lost the lead, nobody got it. `by` is empty when care asked for it."""
    vi, en = _RELEASES[cause]
    because = f" ({reason})" if reason else ""
    whom_vi, whom_en = (f"{previous_code}: ", f"{previous_code}: ") if previous_code else ("", "")
    who_vi, who_en = (f" theo {by}", f" by {by}") if by else ("", "")
    return Sentence(f"{whom_vi}{vi}{who_vi}{because}.", f"{whom_en}{en}{who_en}{because}.")


def of_waiting(*, pool: str | None, people: Sequence[Considered]) -> Sentence:
    """Nobody has the lead yet."""
    if pool is None:
        return Sentence(
            "Chưa chia: không có nhóm chia số nào nhận nguồn, sản phẩm này. Thêm quy tắc ở mục Chia số.",
            "Unassigned: no pool's rules fit this source and product. Add a rule under distribution.",
        )
    if not people:
        return Sentence(
            f"Chưa chia: nhóm “{pool}” chưa có ai. Thêm người vào nhóm.",
            f"Unassigned: nobody is in pool “{pool}”. Add somebody.",
        )
    others = _passed_over(people)
    return Sentence(
        f"Chưa chia: đang chờ người nhận trong nhóm “{pool}”. {others.vi}".strip(),
        f"Unassigned: waiting for somebody in pool “{pool}”. {others.en}".strip(),
    )


def of_duplicate(anchor_id: UUID) -> Sentence:
    return Sentence(
        f"Đơn trùng: số này đã về trước đó (số gốc {anchor_id}), nên không chia thêm.",
        f"Duplicate: this number came before (first lead {anchor_id}), so it is not assigned again.",
    )


def _passed_over(people: Sequence[Considered]) -> Sentence:
    """Who could not be given the lead, and why."""
    vi, en = [], []
    for one in people:
        if one.state != "free":
            reason_vi, reason_en = _STANDING[one.state]
            figures = asdict(one)
            vi.append(f"{one.code} ({reason_vi.format(**figures)})")
            en.append(f"{one.code} ({reason_en.format(**figures)})")
    return Sentence(f"Không xét: {', '.join(vi)}." if vi else "", f"Not considered: {', '.join(en)}." if en else "")


def _number(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")
