"""Many facts in one row of the outbox are the events that each alone would have been."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.fact_columns import FactColumns, events_of, rows
from shared.outbox import FACTS, FACTS_A_ROW, MANY

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.text(max_size=5), st.just(datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
)


def facts(count: int, **columns: Any) -> FactColumns:
    """So many events of orders 0, 1, 2 …, with the values of further columns, which begin anew when they end."""
    further = {name: [values[place % len(values)] for place in range(count)] for name, values in columns.items()}
    return FactColumns("OrderCancelled", {"order_id": [UUID(int=place) for place in range(count)], **further})


def alone(told: FactColumns) -> list[tuple[str, bytes]]:
    """Subject and content of each event, written by itself: no two have one cause."""
    written = rows(told, [f"cause {place}" for place in range(len(told))])
    assert {row[1] for row in written} == {"event"}
    return [(row[3], row[4].encode()) for row in written]


@given(st.lists(VALUES, min_size=1, max_size=3), st.lists(VALUES, min_size=1, max_size=3))
def test_events_of_a_row_of_many_are_those_that_each_alone_would_be(first: list[Any], second: list[Any]) -> None:
    told = facts(MANY, first=first, second=second)

    ((row_id, destination, kind, subject, payload, *_),) = rows(told)

    assert (destination, kind, subject) == (FACTS, "OrderCancelled", "")
    assert [(event.subject, event.data) for event in events_of(row_id, payload)] == alone(told)


def test_each_event_has_an_id_of_its_own_which_stays_the_same() -> None:
    written = rows(facts(2 * FACTS_A_ROW + 1))

    ids = [event.id for row in written for event in events_of(row[0], row[4])]

    assert len(written) == 3
    assert len(set(ids)) == 2 * FACTS_A_ROW + 1
    assert ids == [event.id for row in written for event in events_of(row[0], row[4])]


def test_facts_of_different_causes_share_no_row() -> None:
    written = rows(facts(MANY + 2), [*["a"] * MANY, "b", "c"])

    assert [(row[1], row[5]) for row in written] == [(FACTS, "a"), ("event", "b"), ("event", "c")]


def test_no_facts_are_no_rows() -> None:
    assert rows(facts(0)) == []


def test_a_row_of_the_version_before_is_told_as_it_was_written() -> None:
    first, second = str(UUID(int=1)), str(UUID(int=2))
    payload = f'[["{first}","a",{{"order_id":"a"}}],["{second}","b",{{"order_id":"b"}}]]'

    told = list(events_of(UUID(int=9), payload))

    assert told == [(first, "a", b'{"order_id":"a"}'), (second, "b", b'{"order_id":"b"}')]
