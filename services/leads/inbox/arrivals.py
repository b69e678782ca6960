"""The newest raw items, read without an index of all of them by their arrival.

What became a lead or a duplicate, nearly all items, has its arrival also in `leads`, by which the lists of leads need an
index anyway; of raw items only those few that did not have one, which costs an import nothing for the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

TAKEN: Final = frozenset({"lead", "duplicate"})
NOT_TAKEN: Final = frozenset({"rejected", "dismissed", "undone"})
ELSEWHERE: Final = frozenset({"import_id", "digits"})
"""Filters with an index of their own, which leaves so few items that nothing else matters."""

Kind = tuple[str, frozenset[str]]
"""SQL that finds the newest items of a kind, with `{and_more}` for conditions on raw items `r` and, where it reads `leads l`
first, `{and_of_leads}` for those on the place in the list; and the verdicts that are found by it."""

_OF_VERDICT: Final = """
SELECT r.id, r.received_at FROM raw_items r
WHERE r.verdict = '{verdict}' {{and_more}} ORDER BY r.received_at DESC, r.id DESC LIMIT :limit"""
_TAKEN: Final = """
SELECT l.id, l.received_at FROM leads l JOIN raw_items r ON r.id = l.id
WHERE true {and_more} {and_of_leads} ORDER BY l.received_at DESC, l.id DESC LIMIT :limit"""
_OF_ALL: Final[Sequence[Kind]] = (
    (_TAKEN, TAKEN),
    *((_OF_VERDICT.format(verdict=verdict), frozenset({verdict})) for verdict in sorted(NOT_TAKEN)),
)


def statement(
    columns: str,
    conditions: Sequence[str],
    of_place: Sequence[str],
    *,
    verdicts: Collection[str],
    kinds: Sequence[Kind] = _OF_ALL,
) -> str:
    """A page of the items of some kinds, the newest first.

    Args:
        columns: of `r`.
        conditions: on `r`, but for those on its place.
        of_place: conditions on `r.received_at` and `r.id` alone, which `leads` has too.
        verdicts: those that can fit.
    """
    of_leads = [one.replace("r.received_at", "l.received_at").replace("r.id", "l.id") for one in of_place]
    and_more = "".join(f" AND {one}" for one in (*conditions, *of_place))
    and_of_leads = "".join(f" AND {one}" for one in of_leads)
    found = " UNION ".join(
        f"({kind.format(and_more=and_more, and_of_leads=and_of_leads)})"
        for kind, found_there in kinds
        if not found_there.isdisjoint(verdicts)
    )
    return f"""
SELECT {columns} FROM (SELECT id FROM ({found}) u ORDER BY received_at DESC, id DESC LIMIT :limit) page
JOIN raw_items r ON r.id = page.id ORDER BY r.received_at DESC, r.id DESC
"""
