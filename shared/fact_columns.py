"""Many facts of one type in one row of the outbox: what is the same in all of them is written once, the rest line by line.

A list of a hundred thousand leads names one source and one moment of arrival. Written event by event, two thirds of what the
outbox holds of them are names of fields and values that stand in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from shared.identity import new_id
from shared.outbox import FACTS, FACTS_A_ROW, MANY, Row
from shared.telemetry import causation_id, correlation_id


class FactColumns(NamedTuple):
    """Events of one type, at least one, as columns.

    Args:
        type: the events'.
        columns: field → its values, in the order of the model's fields; the first is the id of the entity. Moments in UTC,
            so that they end in 'Z' as the model's do.
    """

    type: str
    columns: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


class ManyFacts(NamedTuple):
    """What such a row holds: an event is `like`, with the values of its line in `fields`. Its id is the row's, counted up."""

    like: dict[str, Any]
    fields: list[str]
    """The first is the id of the entity."""
    told: list[list[Any]]


class Told(NamedTuple):
    """One event of a row."""

    id: str
    subject: str
    data: bytes


_DUMP: Final = orjson.OPT_UTC_Z


def rows(facts: FactColumns, causes: Sequence[str] = ()) -> list[Row]:
    """The outbox rows of new facts. Those of one cause go together into rows where they are many; each is an event of its
    own all the same, under its own id.

    The service's outbox must take such rows (`shared.migrations.FACTS_TOGETHER`).

    Args:
        causes: correlation id of each; none = all have the present one.
    """
    names, values = [*facts.columns], [*facts.columns.values()]
    if not causes or causes.count(causes[0]) == len(causes):
        return _of_one_cause(facts.type, names, values, causes[0] if causes else correlation_id())
    together: dict[str, list[int]] = {}
    for place, cause in enumerate(causes):
        together.setdefault(cause, []).append(place)
    written: list[Row] = []
    for cause, places in together.items():
        written += _of_one_cause(facts.type, names, [[column[place] for place in places] for column in values], cause)
    return written


def _of_one_cause(kind: str, names: list[str], columns: list[Sequence[Any]], cause: str) -> list[Row]:
    count = len(columns[0])
    by = causation_id()
    if count < MANY:
        return [
            (new_id(), "event", kind, str(line[0]), _dumped(dict(zip(names, line, strict=True))), cause, by)
            for line in zip(*columns, strict=True)
        ]
    return [
        (
            new_id(),
            FACTS,
            kind,
            "",
            _together(names, [column[first : first + FACTS_A_ROW] for column in columns]),
            cause,
            by,
        )
        for first in range(0, count, FACTS_A_ROW)
    ]


def _together(names: list[str], columns: list[Sequence[Any]]) -> str:
    like: dict[str, Any] = {}
    fields: list[str] = []
    different: list[Sequence[Any]] = []
    for name, column in zip(names, columns, strict=True):
        first = column[0]
        # The id of the entity stays a column even where there is but one line.
        if fields and first == column[-1] and column.count(first) == len(column):
            like[name] = first
        else:
            like[name] = None
            fields.append(name)
            different.append(column)
    return _dumped(ManyFacts(like, fields, [[*line] for line in zip(*different, strict=True)])._asdict())


def _dumped(data: Mapping[str, Any]) -> str:
    # The driver's ids are of a class of its own.
    return orjson.dumps(data, default=str, option=_DUMP).decode()


def events_of(row_id: UUID, payload: str) -> Iterator[Told]:
    """The events of a row of many, in their order and under the same ids however often it is read."""
    written = orjson.loads(payload)
    if isinstance(written, list):  # by a version that wrote each event whole, as [id, subject, data]
        for event_id, subject, fact in written:
            yield Told(event_id, subject, orjson.dumps(fact))
        return
    many = ManyFacts(**written)
    for place, line in enumerate(many.told):
        data = orjson.dumps(many.like | dict(zip(many.fields, line, strict=True)))
        yield Told(str(UUID(int=row_id.int + place)), line[0], data)
