"""What customers are sought by, as queries of the tokens in `customer_search`.

A token is a word of a name, or says who holds one of their orders, which tag they have, what a field holds. The index knows
the tokens of each era (a stretch of time in which customers came), so that the newest who have several are found without
those who came before, and an era in which nobody has them costs a few pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.orders.text import words

BLOCKED: Final = ".b"
ORGANISATION: Final = ".k"
PEOPLE: Final = 64
"""Of so many people each is sought in the index of an era, some three pages a person. Of more, customers are looked through
for one of theirs, who are many then."""


def held_by(account: UUID) -> str:
    """Token of the customers with an order that somebody holds or has closed."""
    return _of_id("v", account)


def tagged(tag: UUID) -> str:
    return _of_id("g", tag)


def having(field: str) -> str:
    """Token of the customers of whom a field of the trade is known."""
    return f".h{field}"


def _of_id(kind: str, id: UUID) -> str:
    return f".{kind}{str(id)[-12:]}"


@dataclass(frozen=True)
class Sought:
    """Tokens that a customer must have.

    Args:
        text: words of a name; the last may be a beginning.
        tokens: further ones, all of them.
        people: of whom one must hold or have closed an order; None = nobody need.
    """

    text: str = ""
    tokens: Sequence[str] = ()
    people: Sequence[UUID] | None = None

    @property
    def by_era(self) -> str:
        """The query of an era, which takes the place of each @; empty: the index is no help."""
        few = self.people is not None and len(self.people) <= PEOPLE
        return self._query("@", people=few)

    @property
    def of_all(self) -> str:
        """The query of a customer's tokens."""
        return self._query("", people=True)

    @property
    def but_people(self) -> str:
        """The same, whoever holds their orders; empty: there is nothing else."""
        return self._query("", people=False)

    @property
    def one_name(self) -> str | None:
        """The query of a name that one of their names must fit: words of two do not make one. None: any does."""
        found = words(self.text)
        return _all(_words(found, "")) if len(found) > 1 else None

    def _query(self, era: str, *, people: bool) -> str:
        wanted = [*_words(words(self.text), era), *(f"'{era}{token}'" for token in self.tokens)]
        if people and self.people is not None:
            anybody = " | ".join(f"'{era}{held_by(person)}'" for person in self.people)
            wanted.append(f"({anybody})")
        return _all(wanted)


def _words(found: Sequence[str], era: str) -> list[str]:
    return [f"'{era}{word}'" for word in found[:-1]] + [f"'{era}{word}':*" for word in found[-1:]]


def _all(wanted: Iterable[str]) -> str:
    return " & ".join(wanted)
