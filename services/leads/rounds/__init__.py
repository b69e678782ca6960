"""Rounds of distribution in the database: one decision at a time for each pool, many leads a round.

The lock order of every transaction of this service is: idempotency keys, duplicate windows (by number), pools (by id),
backlog, leads (by id). Rows are locked in the order of their keys, so transactions wait for one another but never in a
circle.
"""

from services.leads.rounds.decide import FITTING_POOL, decide, members_now, pools_of
from services.leads.rounds.model import Decided, Fresh, Placed, Release, members_of
from services.leads.rounds.record import record, release

__all__ = [
    "FITTING_POOL",
    "Decided",
    "Fresh",
    "Placed",
    "Release",
    "decide",
    "members_now",
    "members_of",
    "pools_of",
    "record",
    "release",
]
