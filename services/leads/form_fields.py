"""What a customer filled in, by what each field means → a lead's content. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from services.leads.intake.items import MAX_NOTE, MAX_PRODUCT, Candidate, Rejection, read_candidate
from services.leads.text import cell

_KEPT: Final = ("name", "product", "note", "address")


def joined(meant: Iterable[tuple[str | None, str]], *, joints: Mapping[str, str]) -> dict[str, str]:
    """Meaning → text. Several fields for one meaning are joined, so that nothing a customer wrote is lost.

    Args:
        meant: fields as what they mean, with their texts; None and "ignore" mean nothing.
        joints: meaning → what stands between its texts; a comma where none is named.
    """
    found: dict[str, list[str]] = {}
    for meaning, text in meant:
        if meaning is None or meaning == "ignore":
            continue
        texts = found.setdefault(meaning, [])
        if text.strip() and text not in texts:
            texts.append(text)
    return {meaning: joints.get(meaning, ", ").join(texts) for meaning, texts in found.items()}


def read_content(values: Mapping[str, str], *, product: str, no_phone: Rejection) -> Candidate | Rejection:
    """The lead, or why it is none.

    Args:
        values: meaning → text.
        product: what it is about if the form does not say.
        no_phone: the answer to a form that asks for no phone number; it gets what else is known.
    """
    if "phone" not in values and "other_phone" not in values:
        return replace(no_phone, fields={name: cell(text, MAX_NOTE) for name, text in values.items() if name in _KEPT})
    return read_candidate(
        phone=values.get("phone", ""),
        other_phone=values.get("other_phone", ""),
        name=values.get("name", ""),
        product=cell(values.get("product", ""), MAX_PRODUCT) or product,
        note=values.get("note", ""),
        address=values.get("address", ""),
    )
