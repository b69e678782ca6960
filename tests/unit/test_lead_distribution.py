"""Turns by weight, decided purely."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.leads.distribution import LEAD, Member, Round, Standing, Waiting, distribute


def person(number: int) -> UUID:
    return UUID(int=number + 1)


def lead(number: int) -> UUID:
    return UUID(int=10**9 + number)


def team(*weights: int) -> list[Member]:
    return [Member(person(place), weight, 0, Standing.ON_DUTY) for place, weight in enumerate(weights)]


def queue(count: int, first: int = 0) -> list[Waiting]:
    return [Waiting(lead(number)) for number in range(first, first + count)]


def counts(outcome: Round) -> Counter[UUID]:
    return Counter(decision.owner_id for decision in outcome.decisions)


weights = st.lists(st.integers(1, 100), min_size=1, max_size=30)


@given(weights, st.integers(1, 300))
@settings(max_examples=150)
def test_nobody_is_ever_a_whole_lead_away_from_their_share(shares: list[int], leads: int) -> None:
    members = team(*shares)
    received: Counter[UUID] = Counter()

    for place, decision in enumerate(distribute(members, queue(leads)).decisions, 1):
        received[decision.owner_id] += 1
        for member in members:
            assert abs(received[member.account_id] - place * member.weight / sum(shares)) < 1


@given(weights, st.lists(st.integers(1, 20), min_size=1, max_size=8))
@settings(max_examples=100)
def test_many_small_rounds_decide_as_one_large_round(shares: list[int], sizes: list[int]) -> None:
    whole = distribute(team(*shares), queue(sum(sizes)))
    members, decisions = tuple(team(*shares)), []
    for place, size in enumerate(sizes):
        outcome = distribute(members, queue(size, first=sum(sizes[:place])))
        members = outcome.members
        decisions += outcome.decisions

    assert decisions == list(whole.decisions)
    assert members == whole.members


@given(
    weights,
    st.lists(st.tuples(st.integers(0, 29), st.booleans()), max_size=60),
    st.integers(0, 2**32),
)
@settings(max_examples=100)
def test_what_is_owed_adds_up_and_those_who_are_absent_get_nothing(
    shares: list[int], switches: list[tuple[int, bool]], seed: int
) -> None:
    members = {member.account_id: member for member in team(*shares)}
    for number, (place, on_duty) in enumerate(switches):
        switched = members[person(place % len(shares))]
        standing = Standing.ON_DUTY if on_duty else Standing.OFF_DUTY
        members[switched.account_id] = replace(switched, standing=standing)
        outcome = distribute(members.values(), queue(3, first=number * 3))

        assert {members[owner].standing for owner in counts(outcome)} <= {Standing.ON_DUTY}
        assert len(outcome.decisions) + len(outcome.left) == 3
        members = {member.account_id: member for member in outcome.members}
        # Rounding shares down loses less than one unit a person and lead.
        assert -len(shares) * 3 * (number + 1) <= sum(member.credit for member in members.values()) <= 0


def test_leads_keep_their_order() -> None:
    outcome = distribute(team(1, 1, 1), queue(7))

    assert [decision.waiting.lead_id for decision in outcome.decisions] == [lead(number) for number in range(7)]


def test_equal_weights_take_turns() -> None:
    owners = [decision.owner_id for decision in distribute(team(1, 1, 1), queue(6)).decisions]

    assert sorted(owners[:3]) == sorted(owners[3:]) == [person(0), person(1), person(2)]


def test_the_order_in_which_members_are_named_does_not_matter() -> None:
    members = team(3, 1, 4, 1, 5)

    assert distribute(members, queue(20)) == distribute(reversed(members), queue(20))


def test_capacity_bounds_what_a_person_holds() -> None:
    busy, free = team(5, 1)
    outcome = distribute([replace(busy, load=8, capacity=10), replace(free, capacity=3)], queue(9))

    assert counts(outcome) == {person(0): 2, person(1): 3}
    assert [waiting.lead_id for waiting in outcome.left] == [lead(number) for number in range(5, 9)]


def test_a_returning_customer_is_outside_the_turns() -> None:
    members = team(1, 1)
    sticky = [Waiting(lead(number), sticky_id=person(0)) for number in range(5)]
    outcome = distribute(members, sticky)

    assert {(decision.owner_id, decision.cause) for decision in outcome.decisions} == {(person(0), "sticky")}
    assert outcome.members == tuple(member.given(5 * (member.account_id == person(0))) for member in members)


def test_a_last_owner_who_is_absent_full_or_excluded_is_not_waited_for() -> None:
    absent, other = team(1, 1)
    for last in (
        replace(absent, standing=Standing.OFF_DUTY),
        replace(absent, standing=Standing.INACTIVE),
        replace(absent, capacity=0),
    ):
        (decision,) = distribute([last, other], [Waiting(lead(0), sticky_id=person(0))]).decisions
        assert (decision.owner_id, decision.cause) == (person(1), "distribution")
    (decision,) = distribute([absent, other], [Waiting(lead(0), sticky_id=person(0), excluded=(person(0),))]).decisions
    assert decision.owner_id == person(1)


def test_a_lead_that_only_excluded_people_could_take_holds_nobody_up() -> None:
    outcome = distribute(team(1), [Waiting(lead(0), excluded=(person(0),)), Waiting(lead(1))])

    assert [decision.waiting.lead_id for decision in outcome.decisions] == [lead(1)]
    assert [waiting.lead_id for waiting in outcome.left] == [lead(0)]


def test_whoever_comes_back_goes_on_where_they_left() -> None:
    first, second = distribute(team(1, 1), queue(1)).members
    owed = max(first, second, key=lambda member: member.credit)
    away = [replace(member, standing=Standing.OFF_DUTY) if member is owed else member for member in (first, second)]
    during = distribute(away, queue(50))
    back = distribute([replace(member, standing=Standing.ON_DUTY) for member in during.members], queue(4, first=50))

    assert next(member for member in during.members if member.account_id == owed.account_id).credit == LEAD // 2
    assert counts(back)[owed.account_id] <= 3, "no flood of leads to catch up"
