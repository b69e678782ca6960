"""Entries of a lead's history in words. Pure; owners and why they were chosen are told by `why`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from services.leads.labels import CHANNELS, PURPOSES, SPAM, Words, word
from services.leads.timeline.reading import Entry
from services.leads.why import Sentence
from shared.errors import Language
from shared.phone.hiding import hidden

Show = Callable[[str], str]
"""How the viewer sees a number."""

_WRITTEN: Final = frozenset({"note", "text", "reason", "name", "address", "before", "after"})
"""What people wrote, or holds what they wrote."""
MAX_SHOWN: Final = 80
"""Characters of a value inside a sentence."""

_FIELDS: Final = {
    "phone": ("số điện thoại", "phone"),
    "other_phones": ("số khác", "other numbers"),
    "name": ("tên", "name"),
    "product": ("sản phẩm", "product"),
    "note": ("ghi chú của khách", "the customer's note"),
    "address": ("địa chỉ", "address"),
}
_CAUSES: Final = {
    "accepted": ("số mới", "new number"),
    "call_result": ("kết quả gọi", "call result"),
    "care": ("quy trình chăm sóc", "care process"),
    "carrier": ("đơn vị vận chuyển", "carrier"),
    "operator": ("người dùng chuyển", "moved by hand"),
    "cancel": ("hủy đơn", "cancelled"),
    "closed": ("chốt đơn", "closed"),
    "undo": ("hoàn tác", "undone"),
    "came_again": ("khách để lại số lại", "came again"),
    "released": ("bỏ đánh trùng", "released as no duplicate"),
    "corrected": ("sửa số", "number corrected"),
    "merged": ("gộp đơn", "merged"),
    "spam": ("số rác", "spam"),
}
_CHANGES: Final = {
    "duplicate_released": ("bỏ đánh trùng", "released it as no duplicate"),
    "duplicate_found": ("đánh dấu trùng", "marked it as a duplicate"),
    "duplicate_overtaken": (
        "đã chốt trong lúc bị đánh trùng nên vẫn là đơn riêng",
        "was closed meanwhile, so it is no duplicate",
    ),
    "merged": ("gộp số", "merged leads"),
    "raw_corrected": ("sửa nội dung gốc rồi đọc lại", "corrected what had come and read it again"),
    "import_undone": ("hoàn tác lần nhập Excel", "undid the import"),
}
"""Changes that need no more than their name."""


def masked_values(values: dict[str, Any], show: Show) -> dict[str, Any]:
    """The fields of a change as somebody may see them."""
    shown = dict(values)
    if isinstance(shown.get("phone"), str):
        shown["phone"] = show(shown["phone"])
    if isinstance(shown.get("other_phones"), list):
        shown["other_phones"] = [show(phone) for phone in shown["other_phones"]]
    return shown


def masked_texts(data: dict[str, Any]) -> dict[str, Any]:
    """An entry's data for those who see numbers masked: so are those in what people wrote."""
    return {name: _masked_text(value) if name in _WRITTEN else value for name, value in data.items()}


def _masked_text(value: Any) -> Any:
    if isinstance(value, dict):
        return masked_texts(value)
    return hidden(value) if isinstance(value, str) else value


def tell(entry: Entry, show: Show, levels: Words) -> Sentence:
    """What happened, in a sentence for people.

    Args:
        levels: what people read for each level.
    """
    return Sentence(_tell(entry, show, levels, "vi"), _tell(entry, show, levels, "en"))


def _tell(entry: Entry, show: Show, levels: Words, language: Language) -> str:
    if entry.kind == "level":
        return _level(entry, levels, language)
    said = {
        "arrived": _arrived,
        "came_again": _came_again,
        "note": _note,
        "revealed": _revealed,
        "viewed": _viewed,
        "consent": _consent,
    }.get(entry.kind)
    return said(entry, language) if said else _changed(entry, show, language)


def _arrived(entry: Entry, language: Language) -> str:
    data = entry.data
    source = data["source"] or data["landing_page"] or data["campaign"]
    channel = word(CHANNELS, data["channel"], language)
    place = f" ({source})" if source else ""
    row = f", {'dòng' if language == 'vi' else 'row'} {data['row']}" if data["row"] else ""
    by = f", {entry.by}" if entry.by else ""
    parts = [f"{'Số về từ' if language == 'vi' else 'Came from'} {channel}{place}{row}{by}."]
    if data["verdict"] == "duplicate":
        parts.append(
            f"Trùng với số {data['anchor_id']}." if language == "vi" else f"A duplicate of {data['anchor_id']}."
        )
    if data["do_not_call"]:
        parts.append(
            "Số đang nằm trong danh sách không gọi." if language == "vi" else "The number was on the do-not-call list."
        )
    return " ".join(parts)


def _came_again(entry: Entry, language: Language) -> str:
    channel = word(CHANNELS, entry.data["channel"], language)
    product = f", {entry.data['product']}" if entry.data["product"] else ""
    note = f": “{_short(entry.data['note'])}”" if entry.data["note"] else ""
    begins = "Khách để lại số lần nữa" if language == "vi" else "The customer left the number again"
    return f"{begins} ({channel}{product}){note}."


def _level(entry: Entry, levels: Words, language: Language) -> str:
    passed = [
        f"{word(levels, code, language)} ({code})"
        for code in (entry.data["from"], entry.data["to"])
        if code is not None
    ]
    cause = word(_CAUSES, entry.data["cause"], language)
    by = f"{entry.by}: " if entry.by else ""
    return f"{by}{' → '.join(passed)}, {cause}."


def _note(entry: Entry, language: Language) -> str:
    return f"{entry.by}: “{entry.data['text']}”"


def _revealed(entry: Entry, language: Language) -> str:
    saw = "xem số đầy đủ" if language == "vi" else "was shown the whole number"
    return f"{entry.by} {saw}: {entry.data['reason']}."


def _viewed(entry: Entry, language: Language) -> str:
    saw = "mở số trong kho số thả nổi" if language == "vi" else "opened it in the floating pool"
    return f"{entry.by} {saw}."


def _consent(entry: Entry, language: Language) -> str:
    vi = language == "vi"
    act = {"given": "Đồng ý" if vi else "Agreed to", "withdrawn": "Rút đồng ý" if vi else "Withdrew consent to"}
    reason = f" ({entry.data['reason']})" if entry.data["reason"] else ""
    by = f", {entry.by}" if entry.by else ""
    return f"{act[entry.data['act']]} {word(PURPOSES, entry.data['purpose'], language)}{reason}{by}."


def _changed(entry: Entry, show: Show, language: Language) -> str:
    data, vi = entry.data, language == "vi"
    by = entry.by or ("Hệ thống" if vi else "The system")
    reason = f": {data['reason']}" if data["reason"] else ""
    if data["what"] == "tags":
        given = [f"+{name}" for name in data["after"].get("added", ())]
        taken = [f"−{name}" for name in data["before"].get("removed", ())]
        return f"{by} {'đổi thẻ' if vi else 'changed tags'}: {', '.join(given + taken)}."
    if data["what"] == "spam":
        kind = data["after"].get("spam", "")
        if not kind:
            return f"{by} {'bỏ đánh dấu số rác' if vi else 'took the spam mark away'}{reason}."
        return f"{by} {'đánh dấu' if vi else 'marked it as'} {word(SPAM, kind, language).lower()}{reason}."
    before, after = masked_values(data["before"], show), masked_values(data["after"], show)
    fields = [name for name in _FIELDS if name in before or name in after]
    if data["what"] in _CHANGES or not fields:
        return f"{by} {word(_CHANGES, data['what'], language)}{reason}."
    parts = [
        f"{word(_FIELDS, name, language)} “{_short(before.get(name))}” → “{_short(after.get(name))}”" for name in fields
    ]
    return f"{by} {'sửa' if vi else 'changed'} {'; '.join(parts)}{reason}."


def _short(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    said = str(value or "")
    return said if len(said) <= MAX_SHOWN else f"{said[: MAX_SHOWN - 1]}…"
