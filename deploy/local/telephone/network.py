"""What happens to events between a telephone system and us."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Network:
    """What may happen to an event between Stringee and us. A lost one is sent again, as after a time-out, in a later round."""

    lost: float = 0.0
    doubled: float = 0.0
    shuffled: bool = False
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def rounds(self, events: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """The deliveries: each event at least once by the last round."""
        first, later = [], []
        for event in events:
            if self.chance.random() < self.lost:
                later.append(event)
            else:
                first.append(event)
                if self.chance.random() < self.doubled:
                    (first if self.chance.random() < 0.5 else later).append(event)
        if self.shuffled:
            self.chance.shuffle(first)
            self.chance.shuffle(later)
        return [first, later]
