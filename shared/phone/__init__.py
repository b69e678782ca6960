"""Phone identity: what somebody typed → canonical E.164 numbers, or a sentence that says what to correct."""

from __future__ import annotations

from shared.phone.model import Phone, PhoneKind, PhoneProblem, PhoneReading, PhoneRule, ProblemCode, Unread
from shared.phone.one import one_phone, read_phone
from shared.phone.reading import MAX_PHONES, ordinary_number, read_phones

__all__ = [
    "MAX_PHONES",
    "Phone",
    "PhoneKind",
    "PhoneProblem",
    "PhoneReading",
    "PhoneRule",
    "ProblemCode",
    "Unread",
    "one_phone",
    "ordinary_number",
    "read_phone",
    "read_phones",
]
