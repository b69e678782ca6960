"""What a file says of a parcel → the code that its carrier has for it. Pure.

A file holds the carrier's codes, the carrier's words as its web page exports them, or our own words. Whatever it is, the
timeline gets the carrier's code, so that a file, a callback and a poll that tell the same are one fact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from services.shipping.carriers.codes import CodeTable, StatusMeaning
from services.shipping.view import STATUS_WORDS
from shared.contracts.events.shipping import ShipmentStatus
from shared.workbook.headings import plain

_OURS: Final[dict[str, ShipmentStatus]] = {
    word: status for status, words in STATUS_WORDS.items() for word in (plain(status), *map(plain, words))
}


class Dictionary:
    """The words of one carrier.

    Args:
        codes: its table, with what the company has said of further codes.
    """

    def __init__(self, codes: CodeTable) -> None:
        self._codes = codes
        statuses = codes.statuses.items()
        parts = self._clear((part, code) for code, meaning in statuses for part in meaning.vi.split("/"))
        wholes = self._clear((words, code) for code, meaning in statuses for words in (meaning.vi, meaning.en))
        self._by_words = parts | wholes

    def _clear(self, told: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Words → code. Words of codes with different statuses mean nothing (ViettelPost says the same of a parcel on its
        way out and back); of those with one status the plain one counts: a courier's word has to be told by its code."""
        codes: dict[str, list[str]] = {}
        for words, code in told:
            codes.setdefault(plain(words), []).append(code)
        return {
            words: min(of_words, key=lambda code: _is_special(self.meaning(code)))
            for words, of_words in codes.items()
            if len({self.meaning(code).status for code in of_words}) == 1
        }

    def code(self, told: str) -> str | None:
        """The carrier's code for what a file says; None: nobody knows what that means."""
        if told in self._codes.statuses:
            return told
        words = plain(told)
        if words in self._by_words:
            return self._by_words[words]
        status = _OURS.get(words)
        return self.code_of(status) if status else None

    def code_of(self, status: ShipmentStatus) -> str | None:
        """The carrier's plainest code for one of our statuses; None: it has none."""
        fitting = {code: meaning for code, meaning in self._codes.statuses.items() if meaning.status == status}
        plain_ones = [code for code, meaning in fitting.items() if not _is_special(meaning)]
        # Every failed delivery of ViettelPost is one that a parcel can meet on its way back as well.
        plain_ones = plain_ones or [
            code for code, meaning in fitting.items() if not _is_special(replace(meaning, either_way=False))
        ]
        # One behind which more can come says less: “Đã trả hàng” rather than “Đã đối soát công nợ trả hàng”.
        return min(plain_ones, key=lambda code: self._codes.statuses[code].final, default=None)

    def meaning(self, code: str) -> StatusMeaning:
        return self._codes.statuses[code]


def _is_special(meaning: StatusMeaning) -> bool:
    return (
        meaning.provisional or meaning.settles or meaning.either_way or meaning.awaits_decision or meaning.needs_person
    )
