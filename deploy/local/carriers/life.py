"""The life of one parcel at a carrier: a road of statuses, and how a seed chooses the way.

Pure: nothing here reads a clock or draws from shared randomness. Which statuses there are, what follows what and how
long it takes is each carrier's `Road`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import Random

Code = int | str
"""A carrier's word for a status: a number at GHTK and ViettelPost, a text at GHN."""

STATUS = "status"
"""A change that is a status. Carriers tell of other changes too: of the COD paid out, of a new weight."""
TRANSFER = "transfer"
"""The carrier has paid the COD out; the status stays."""


CREATED = "created"
"""The first entry of every history."""


class Outcome(StrEnum):
    """How a parcel's life is meant to end."""

    DELIVERED = "delivered"
    PICKED_UP_LATE = "picked_up_late"
    """Pick-up postponed once, then delivered."""
    REDELIVERED = "redelivered"
    """One failed attempt, then delivered."""
    RETURNED = "returned"
    """Refused, or given up after several attempts, and sent back."""
    PICK_UP_FAILED = "pick_up_failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Move:
    """One change on a road, before it has a time."""

    status: Code
    reason_code: str = ""
    kind: str = STATUS


@dataclass(frozen=True, slots=True)
class Step:
    """One move: the status reached, how long after the previous one in simulated time, and why."""

    status: Code
    after: timedelta
    reason_code: str = ""
    kind: str = STATUS


@dataclass(frozen=True, slots=True)
class Life:
    """What will happen to a parcel after it was created, if nobody interferes."""

    outcome: Outcome
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Road:
    """A carrier's statuses, and how parcels travel through them.

    Parameters:
        text: every documented status and the carrier's words for it.
        reasons: every documented reason and the carrier's words for it.
        created: the status of a new parcel.
        cancelled: the status of a cancelled one, and its reason.
        usual_next: what comes next when nothing goes wrong.
        hours: shortest and longest time until a status is reached from the one before it; ours, of a believable size.
        final: nothing follows by itself.
        cancellable: the carrier accepts a cancellation.
        moves: the way to an outcome, from `created` on.
        settled: the COD was paid out, where a status says so. The others have a step of the kind TRANSFER.
        transfer_after: the status that the COD is paid out after, where no status says so.
        compensated: the carrier has paid for the parcel.
    """

    text: Mapping[Code, str]
    reasons: Mapping[str, str]
    created: Code
    cancelled: Move
    usual_next: Mapping[Code, Code]
    hours: Mapping[Code, tuple[float, float]]
    final: frozenset[Code]
    cancellable: frozenset[Code]
    moves: Callable[[Outcome, Random], Sequence[Move]]
    settled: frozenset[Code] = frozenset()
    transfer_after: Code | None = None
    compensated: frozenset[Code] = frozenset()
    transfer_hours: tuple[float, float] = (20, 72)

    def code(self, given: Code) -> Code:
        """The documented status that `given` names, also as text; one that is not documented stays as it is."""
        return next((code for code in self.text if code == given or str(code) == str(given)), given)

    def plan(self, *, seed: int, reference: str, rates: Mapping[Outcome, float]) -> Life:
        """The whole life of a parcel after its creation, always the same for the same arguments.

        Parameters: `rates` are weights of the outcomes; they need not add up to 1, but one must be positive.
        """
        random = Random(f"{seed}:{reference}")
        outcome = random.choices(list(rates), weights=list(rates.values()))[0]
        moves = self.moves(outcome, random)
        return Life(
            outcome,
            tuple(Step(move.status, self._duration(move, random), move.reason_code, move.kind) for move in moves),
        )

    def plan_after(self, status: Code, *, remaining: tuple[Step, ...]) -> tuple[Step, ...]:
        """What follows when somebody puts a parcel into `status` by hand.

        The rest of its own plan behind that status if it was still to come; nothing after a final status; else the
        usual road from there. A status that the carrier does not document leaves the plan as it was.
        """
        if status in self.final:
            return ()
        for position, step in enumerate(remaining):
            if step.status == status and step.kind == STATUS:
                return remaining[position + 1 :]
        if status not in self.text:
            return remaining
        return tuple(
            Step(move.status, self._middle_duration(move), kind=move.kind) for move in self.usual_moves(status)
        )

    def usual_moves(self, status: Code) -> list[Move]:
        """The way from a status to an end when nothing goes wrong."""
        moves: list[Move] = []
        if status == self.transfer_after:
            moves.append(Move(status, kind=TRANSFER))
        while (following := self.usual_next.get(status)) is not None:
            moves.append(Move(following))
            if following == self.transfer_after:
                moves.append(Move(following, kind=TRANSFER))
            status = following
        return moves

    def _hours(self, move: Move) -> tuple[float, float]:
        return self.transfer_hours if move.kind == TRANSFER else self.hours[move.status]

    def _duration(self, move: Move, random: Random) -> timedelta:
        shortest, longest = self._hours(move)
        return timedelta(seconds=round(random.uniform(shortest, longest) * 3600))

    def _middle_duration(self, move: Move) -> timedelta:
        shortest, longest = self._hours(move)
        return timedelta(hours=(shortest + longest) / 2)
