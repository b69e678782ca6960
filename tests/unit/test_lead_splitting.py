"""Leads dealt out by hand: even parts, the remainder in list order."""

from __future__ import annotations

import random
from collections import Counter
from uuid import UUID

import pytest

from services.leads.transfers.splitting import Share, split

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def dealt(total: int, *shares: Share) -> str:
    """The receivers in the order of the leads, as letters; '-' stays where it is."""
    letters = {A: "a", B: "b", C: "c", None: "-"}
    return "".join(letters[receiver] for receiver in split(total, shares))


@pytest.mark.parametrize(
    ("total", "shares", "expected"),
    [
        (6, [Share(A), Share(B), Share(C)], "abcabc"),
        (8, [Share(A), Share(B), Share(C)], "abcabcab"),  # the remainder in list order
        (8, [Share(C), Share(B), Share(A)], "cbacbacb"),
        (2, [Share(A), Share(B), Share(C)], "ab"),
        (7, [Share(A), Share(B, 1), Share(C)], "abcacac"),  # who has a count gets it, the others divide the rest
        (5, [Share(A, 1), Share(B, 2)], "abb--"),  # what nobody is to get stays
        (3, [Share(A, 5), Share(B, 5)], "aba"),  # more is asked for than there is
        (3, [Share(A, 5), Share(B)], "aaa"),
        (4, [Share(A, 0), Share(B)], "bbbb"),
        (0, [Share(A)], ""),
    ],
)
def test_leads_are_dealt_in_turns(total: int, shares: list[Share], expected: str) -> None:
    assert dealt(total, *shares) == expected


def test_every_split_is_even_complete_and_the_same_again() -> None:
    chance = random.Random(11)
    for _ in range(300):
        total = chance.randrange(400)
        shares = [
            Share(UUID(int=place), chance.choice([None, None, chance.randrange(30)]))
            for place in range(chance.randrange(1, 12))
        ]
        receivers = split(total, shares)
        counts = Counter(receivers)
        assert len(receivers) == total
        assert receivers == split(total, shares)
        fixed = sum(share.count for share in shares if share.count is not None)
        open_ended = [counts[share.account_id] for share in shares if share.count is None]
        if fixed <= total:
            assert all(counts[share.account_id] == share.count for share in shares if share.count is not None)
        if open_ended:
            assert counts[None] == 0
            assert max(open_ended) - min(open_ended) <= 1
            assert open_ended == sorted(open_ended, reverse=True), "the remainder goes to the first in the list"
