"""The number of a field that holds one. Pure."""

from __future__ import annotations

from shared.phone import problems
from shared.phone.model import PhoneProblem
from shared.phone.reading import ordinary_number, read_phones


def one_phone(text: str) -> str | PhoneProblem:
    """The number of a field that holds exactly one, in E.164, or what to correct. Words beside it do not matter
    ('0912345678 (vợ)'), and a number that is written twice is one.

    Args:
        text: the field as it came.
    """
    if ordinary := ordinary_number(text):
        return ordinary
    reading = read_phones(text)
    if reading.problem is not None:
        return reading.problem
    if len(reading.phones) > 1:
        return problems.MORE_THAN_ONE
    return reading.unread[0].problem if reading.unread else reading.phones[0].e164


def read_phone(text: str) -> str | None:
    """The number of a text that holds exactly one, in E.164; None where it is none, or not one."""
    found = one_phone(text)
    return found if isinstance(found, str) else None
