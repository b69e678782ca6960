"""Limits and skills in the rules of distribution, and what is kept of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.leads.distribution import LEAD, Member, Skills, Standing, Topic, Waiting, distribute
from services.leads.rounds.model import members_of, skill_sets_in, snapshot_of

SKILLS = {
    1: Skills(frozenset({"KEM*"})),
    2: Skills(frozenset({"SERUM-30", "GOI"})),
    3: Skills(channels=frozenset({"hotline"})),
    4: Skills(landing_pages=frozenset({"tet.example"})),
}
TOPICS: list[Topic] = [
    ("manual", "KEM-01", ""),
    ("manual", "SERUM-30", "tet.example"),
    ("hotline", "GOI", ""),
    ("hotline", "", "tet.example"),
    ("manual", "", ""),
]

limit = st.none() | st.integers(0, 12)


@st.composite
def teams(draw: st.DrawFn) -> list[Member]:
    members = []
    for number in range(draw(st.integers(1, 12))):
        skill_set = draw(st.none() | st.sampled_from(sorted(SKILLS)))
        members.append(
            Member(
                UUID(int=number + 1),
                weight=draw(st.integers(1, 20)),
                credit=draw(st.integers(-LEAD, LEAD)),
                standing=draw(st.sampled_from([Standing.ON_DUTY] * 4 + [*Standing])),
                load=draw(st.integers(0, 6)),
                capacity=draw(limit),
                today=draw(st.integers(0, 6)),
                day_quota=draw(limit),
                in_shift=draw(st.integers(0, 6)),
                shift_quota=draw(limit),
                skill_set=skill_set,
                skills=SKILLS[skill_set] if skill_set else None,
            )
        )
    return members


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    people = st.integers(1, 12).map(lambda number: UUID(int=number))
    return [
        Waiting(
            UUID(int=1000 + number),
            sticky_id=draw(st.none() | people),
            excluded=tuple(draw(st.lists(people, max_size=2, unique=True))),
            topic=draw(st.sampled_from(TOPICS)),
            only_sticky=draw(st.booleans()) and draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 30)))
    ]


@given(teams(), queues())
@settings(max_examples=300)
def test_a_lead_goes_only_to_a_candidate_and_stays_only_without_one(team: list[Member], queue: list[Waiting]) -> None:
    outcome = distribute(team, queue)

    now = {member.account_id: member for member in team}
    owners = {decision.waiting.lead_id: decision.owner_id for decision in outcome.decisions}
    for waiting in queue:
        owner = owners.get(waiting.lead_id)
        if owner is not None:
            assert now[owner].obstacle(waiting) is None
            now[owner] = now[owner].given(1)
        elif waiting.only_sticky:
            assert waiting.sticky_id not in now or now[waiting.sticky_id].obstacle(waiting)
        else:
            assert all(member.obstacle(waiting) for member in now.values())
    assert [decision.waiting for decision in outcome.decisions] == [one for one in queue if one.lead_id in owners]


@given(teams(), queues())
@settings(max_examples=200)
def test_limits_hold_and_counts_grow_by_what_was_given(team: list[Member], queue: list[Waiting]) -> None:
    outcome = distribute(team, queue)

    given_to = Counter(decision.owner_id for decision in outcome.decisions)
    before = {member.account_id: member for member in team}
    for member in outcome.members:
        was, count = before[member.account_id], given_to[member.account_id]
        assert replace(member, credit=was.credit) == was.given(count)
        if count:
            assert member.capacity is None or member.load <= member.capacity
            assert member.day_quota is None or member.today <= member.day_quota
            assert member.shift_quota is None or member.in_shift <= member.shift_quota


@given(teams(), queues())
@settings(max_examples=200)
def test_a_round_is_decided_the_same_from_what_is_kept_of_it(team: list[Member], queue: list[Waiting]) -> None:
    outcome = distribute(team, queue)

    kept = snapshot_of(team)
    known = {number: SKILLS[number] for number in skill_sets_in([kept])}
    decided = [replace(decision.waiting, only_sticky=False) for decision in outcome.decisions]
    again = distribute(members_of(kept, known), decided)

    assert [decision.owner_id for decision in again.decisions] == [decision.owner_id for decision in outcome.decisions]


@pytest.mark.parametrize(
    ("skills", "topic", "takes"),
    [
        (Skills(), ("manual", "KEM-01", ""), True),
        (Skills(frozenset({"KEM-01"})), ("manual", "KEM-01", ""), True),
        (Skills(frozenset({"KEM-01"})), ("manual", "KEM-012", ""), False),
        (Skills(frozenset({"KEM*"})), ("manual", "KEM-012", ""), True),
        (Skills(frozenset({"KEM*"})), ("manual", "SERUM", ""), False),
        (Skills(frozenset({"KEM*"})), ("manual", "", ""), True),
        (Skills(channels=frozenset({"hotline"})), ("manual", "", ""), False),
        (Skills(landing_pages=frozenset({"tet.example"})), ("manual", "", ""), False),
        (Skills(frozenset({"KEM*"}), frozenset({"hotline"})), ("hotline", "KEM-01", ""), True),
        (Skills(frozenset({"KEM*"}), frozenset({"hotline"})), ("hotline", "SERUM", ""), False),
    ],
)
def test_skills_take_products_groups_channels_and_pages(skills: Skills, topic: Topic, takes: bool) -> None:
    assert skills.take(topic) is takes


def test_shares_accrue_only_for_leads_that_somebody_takes() -> None:
    kem = Member(UUID(int=1), 1, 0, Standing.ON_DUTY, skills=SKILLS[1])
    all_round = Member(UUID(int=2), 1, 0, Standing.ON_DUTY)
    queue = [Waiting(UUID(int=100 + number), topic=TOPICS[number % 2]) for number in range(20)]

    owners = Counter(decision.owner_id for decision in distribute([kem, all_round], queue).decisions)

    assert owners == {UUID(int=1): 5, UUID(int=2): 15}, "half of the leads of KEM, none of the others"
