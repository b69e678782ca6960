"""What `chot` says of its work, in words."""

from __future__ import annotations

from deploy.commands.messages import reconciled


def test_a_comparison_says_what_was_started_or_woken() -> None:
    assert reconciled({"cares": 3, "fulfilments": 0, "what_ifs": 1}) == "started or woke 3 cares, 1 what ifs"


def test_a_comparison_that_found_nothing_says_what_was_compared() -> None:
    assert reconciled({"cares": 0, "process_moves": 0}) == "nothing is missing or behind (cares, process moves)"
