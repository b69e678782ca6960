"""What lists, bulk actions and exports are narrowed to."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    cast,
    collate,
    column,
    exists,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    table,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from services.leads.errors import PhoneFilterUnreadable, SearchEmpty
from services.leads.intake.items import Channel
from services.leads.repository.leads import LEADS
from services.leads.text import words
from shared.given import GivenInstant
from shared.phone import read_phones

Name = Annotated[str, Field(min_length=1, max_length=200)]
MAX_VALUES: Final = 100
"""Values of one filter."""
MAX_WORDS: Final = 12
MIN_END: Final = 3
"""Digits that the end of a number must have to be searched for: fewer would find every thousandth lead and more."""
MAX_END: Final = 8
"""With nine digits a mobile number is whole."""

_SIGNS: Final = re.compile(r"[\s.\-()+/]")


def _listed(value: Any) -> Any:
    """One value where a list is expected, as a link may have it."""
    return [value] if isinstance(value, str) else value


Names = Annotated[list[Name], BeforeValidator(_listed), Field(max_length=MAX_VALUES)]
Ids = Annotated[list[UUID], BeforeValidator(_listed), Field(max_length=MAX_VALUES)]


class LeadFilters(BaseModel):
    """What a list of leads is narrowed to. Several values of one field widen it, several fields narrow it further."""

    model_config = ConfigDict(extra="forbid")

    level: Names = Field(default=[], description="exact levels, e.g. L1.4")
    main_level: Annotated[list[Literal["C3", "L1", "L5", "L7", "L8"]], BeforeValidator(_listed)] = Field(
        default=[], description="a main level with all its children"
    )
    verdict: Literal["lead", "duplicate"] | None = None
    owner_id: Ids = []
    team: Names = Field(default=[], description="teams of the owners")
    unassigned: bool | None = Field(default=None, description="true: clean leads without an owner; false: with one")
    waiting: bool | None = Field(default=None, description="in the backlog, until somebody can take them")
    source_id: Ids = []
    channel: Annotated[list[Channel], BeforeValidator(_listed)] = []
    campaign: Names = []
    landing_page: Names = []
    marketer: Names = Field(default=[], description="staff codes")
    product: Names = []
    received_from: GivenInstant | None = Field(default=None, description="arrival, inclusive")
    received_to: GivenInstant | None = Field(default=None, description="arrival, exclusive")
    assigned_from: GivenInstant | None = Field(default=None, description="first assignment (ngày chia), inclusive")
    assigned_to: GivenInstant | None = Field(default=None, description="first assignment, exclusive")
    tag_all: Ids = Field(default=[], description="has every one of these tags")
    tag_any: Ids = Field(default=[], description="has one of these tags at least")
    tag_none: Ids = Field(default=[], description="has none of these tags")
    has_note: bool | None = Field(default=None, description="a colleague wrote a note")
    returning_customer: bool | None = None
    do_not_call: bool | None = Field(default=None, description="a number of it is on the do-not-call list")
    spam: bool | None = Field(default=None, description="fake, a test or a competitor")
    anchor_id: UUID | None = Field(default=None, description="the duplicates of this lead")
    phone: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="in any spelling, several together; or the last three digits or more"
    )
    q: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="words or their beginnings in name, note or address, without accents; or a number"
    )

    @property
    def narrows(self) -> bool:
        """Whether anything is asked for at all."""
        return bool(self.model_dump(exclude_defaults=True, include=set(LeadFilters.model_fields)))

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions on `LEADS`, but for what `search` says."""
        found = [
            *(_among(LEADS.c[field], getattr(self, field), Text) for field in _TEXTS if getattr(self, field)),
            *(_among(LEADS.c[field], getattr(self, field), Uuid) for field in _IDS if getattr(self, field)),
            *self._levels(),
            *self._people(),
            *self._dates(),
            *self._tags(),
        ]
        if self.verdict is not None:
            found.append(LEADS.c.verdict == self.verdict)
        if self.anchor_id is not None:
            found.append(LEADS.c.anchor_id == self.anchor_id)
        # Bare, not compared with a parameter, so that the partial index fits.
        marks = {field: getattr(self, field) for field in ("returning_customer", "do_not_call")}
        found += [LEADS.c[field] if on else not_(LEADS.c[field]) for field, on in marks.items() if on is not None]
        if self.spam is not None:
            found.append(_spam != text("''") if self.spam else _spam == text("''"))
        if self.has_note is not None:
            noted = exists().where(_notes.c.lead_id == LEADS.c.id)
            found.append(noted if self.has_note else not_(noted))
        found += [_with_phones(phones) for phones in (self._typed_phones(), self._searched_phones()) if phones]
        return found

    def search(self) -> str | None:
        """What is looked for in the search column, as a tsquery; None for nothing.

        Raises:
            PhoneFilterUnreadable, SearchEmpty: what was typed cannot be searched for.
        """
        parts = []
        if self.phone is not None and not self._typed_phones():
            parts.append(_end_of_phone(self.phone))
        if self.q is not None and not self._searched_phones():
            parts.append(_words(self.q))
        return " & ".join(parts) or None

    def _typed_phones(self) -> list[str]:
        return [found.e164 for found in read_phones(self.phone).phones] if self.phone is not None else []

    def _searched_phones(self) -> list[str]:
        """The numbers in `q`, if it is nothing but numbers."""
        if self.q is None or any(letter.isalpha() for letter in self.q):
            return []
        return [found.e164 for found in read_phones(self.q).phones]

    def _levels(self) -> list[ColumnElement[bool]]:
        # In the C collation of their index, in which the children of L1 lie between 'L1.' and 'L1/'.
        level = collate(LEADS.c.level, "C")
        wanted = [level == one for one in self.level]
        for main in self.main_level:
            wanted += [level == main, and_(level >= f"{main}.", level < f"{main}/")]
        return [or_(*wanted)] if wanted else []

    def _people(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.team:
            # An array, not a subquery, so that the owners' index can be used.
            of_team = select(_staff.c.account_id).where(_staff.c.team == any_(literal(self.team, ARRAY(Text))))
            found.append(LEADS.c.owner_id == any_(func.array(of_team.scalar_subquery())))
        if self.unassigned is not None:
            clean = and_(LEADS.c.owner_id.is_(None), LEADS.c.verdict == text("'lead'"))
            found.append(clean if self.unassigned else LEADS.c.owner_id.is_not(None))
        if self.waiting is not None:
            waits = exists().where(_backlog.c.lead_id == LEADS.c.id)
            found.append(waits if self.waiting else not_(waits))
        return found

    def _dates(self) -> list[ColumnElement[bool]]:
        found = _between(LEADS.c.received_at, self.received_from, self.received_to)
        assigned = _between(_assignments.c.at, self.assigned_from, self.assigned_to)
        if assigned:
            first = _assignments.c.assignment == text("1")
            found.append(LEADS.c.id.in_(select(_assignments.c.lead_id).where(first, *assigned)))
        return found

    def _tags(self) -> list[ColumnElement[bool]]:
        def tagged(operator: str, tags: list[UUID]) -> ColumnElement[bool]:
            wanted = cast(literal(tags, ARRAY(Uuid)), ARRAY(Uuid))
            return LEADS.c.id.in_(select(_tags.c.lead_id).where(_tags.c.tags.op(operator)(wanted)))

        found: list[ColumnElement[bool]] = []
        if self.tag_all:
            found.append(tagged("@>", self.tag_all))
        if self.tag_any:
            found.append(tagged("&&", self.tag_any))
        if self.tag_none:
            wanted = cast(literal(self.tag_none, ARRAY(Uuid)), ARRAY(Uuid))
            bad = exists().where(_tags.c.lead_id == LEADS.c.id, _tags.c.tags.op("&&")(wanted))
            found.append(not_(bad))
        return found


_TEXTS: Final = ("channel", "campaign", "landing_page", "marketer", "product")
_IDS: Final = ("owner_id", "source_id")
_spam: Final = literal_column("leads.spam", Text)
_staff: Final = table("staff_members", column("account_id", Uuid), column("team", Text))
_backlog: Final = table("backlog", column("lead_id", Uuid))
_notes: Final = table("lead_notes", column("lead_id", Uuid))
_tags: Final = table("lead_tags", column("lead_id", Uuid), column("tags", ARRAY(Uuid)))
_of_words: Final = table("lead_words", column("lead_id", Uuid), column("words"))
_due: Final = table("lead_words_due", column("id"), column("lead_ids", ARRAY(Uuid)))
_WORDS_OF: Final = "words_of(leads.name, leads.note, leads.address, leads.phone, leads.other_phones)"
_assignments: Final = table("assignments", column("lead_id", Uuid), column("assignment"), column("at"))


def _among(field: ColumnElement[Any], values: list[Any], kind: Any) -> ColumnElement[bool]:
    # Equality keeps the order of the index behind it; a list does not.
    sought = values[0] if len(values) == 1 else any_(literal(values, ARRAY(kind)))
    condition: ColumnElement[bool] = field == sought
    return condition


def _between(
    field: ColumnElement[Any], earliest: datetime | None, before: datetime | None
) -> list[ColumnElement[bool]]:
    found = []
    if earliest is not None:
        found.append(field >= earliest)
    if before is not None:
        found.append(field < before)
    return found


def _end_of_phone(typed: str) -> str:
    """Numbers that end in what was typed."""
    digits = _SIGNS.sub("", typed)
    if digits.isascii() and digits.isdecimal() and MIN_END <= len(digits) <= MAX_END:
        return _ends_in(digits)
    problem = read_phones(typed).problem
    assert problem is not None, "a reading without numbers says why"
    raise PhoneFilterUnreadable(reason_vi=problem.vi, reason_en=problem.en)


def _words(typed: str) -> str:
    """All words of a text."""
    wanted = words(typed)[:MAX_WORDS]
    if not wanted:
        raise SearchEmpty
    if len(wanted) > 1 and len(wanted[-1]) == 1:
        wanted.pop()  # the beginning of a word that is still being typed, and of half of all words
    return " & ".join(_word(word) for word in wanted)


def _with_phones(phones: list[str]) -> ColumnElement[bool]:
    numbers = literal(phones, ARRAY(Text))
    # The second condition names the partial index of leads with several numbers.
    several = and_(LEADS.c.other_phones != text("'{}'"), LEADS.c.other_phones.op("&&")(numbers))
    return or_(LEADS.c.phone == any_(numbers), several)


def _word(word: str) -> str:
    """One word of a search. A single letter must be a word of its own, or it would find half of everything."""
    begins = f"'{word}':*" if len(word) > 1 else f"'{word}'"
    return f"({begins} | {_ends_in(word)})" if word.isdecimal() and len(word) >= MIN_END else begins


def _ends_in(digits: str) -> str:
    return f"'#{digits[::-1]}':*"


def matches(query: str) -> ColumnElement[bool]:
    """Leads whose words fit a query of `LeadFilters.search`, also those that have none in their table yet."""
    return literal_column(f"coalesce((SELECT w.words FROM lead_words w WHERE w.lead_id = leads.id), {_WORDS_OF})").op(
        "@@"
    )(_tsquery(query))


def found_by(query: str, *, waiting: int, most: int) -> Select[Any]:
    """The ids of the leads whose words fit a query of `LeadFilters.search`, by the index of words.

    Args:
        waiting: rows of `lead_words_due` whose leads are looked at one by one.
        most: ids that are wanted.
    """
    known = select(_of_words.c.lead_id).where(_of_words.c.words.op("@@")(_tsquery(query))).limit(most)
    due = select(_due.c.lead_ids).order_by(_due.c.id).limit(waiting).subquery()
    waits = LEADS.c.id == any_(func.array(select(func.unnest(due.c.lead_ids)).scalar_subquery()))
    late = select(LEADS.c.id).where(waits, literal_column(_WORDS_OF).op("@@")(_tsquery(query)))
    either = union_all(known, late).subquery()
    return select(either.c.lead_id).limit(most)


def _tsquery(query: str) -> ColumnElement[Any]:
    # Made of letters and digits alone, so nothing has to be escaped and no parser has a say.
    return cast(literal(query, Text), TSQUERY)
