"""Rounds of distribution in the database: one decision at a time for each pool, many leads a round.

The lock order of every transaction of this service is: idempotency keys, duplicate windows (by number), pools (by id),
what is counted of people (by account), leads (by id), backlog. Rows are locked in the order of their keys, so
transactions wait for one another but never in a circle.
"""

from services.leads.rounds.decide import FITTING_POOL, decide, lock, members_now, people_now, pools_of, utc_now
from services.leads.rounds.model import Decided, Fresh, Placed, Release, members_of, skill_sets_in
from services.leads.rounds.people import People, skills_of
from services.leads.rounds.record import record, release

__all__ = [
    "FITTING_POOL",
    "Decided",
    "Fresh",
    "People",
    "Placed",
    "Release",
    "decide",
    "lock",
    "members_now",
    "members_of",
    "people_now",
    "pools_of",
    "record",
    "release",
    "skill_sets_in",
    "skills_of",
    "utc_now",
]
