"""How long each copy of an event is kept: one decision, in one place.

A message can come back for as long as its stream or its outbox row lives, so the inbox must remember it longer:
stream ≤ outbox ≤ inbox, and a republish reaches no further back than the outbox.
"""

from datetime import timedelta
from typing import Final

STREAM_AGE: Final = timedelta(days=3)
OUTBOX_AGE: Final = timedelta(days=7)
REPUBLISH_HORIZON: Final = timedelta(days=7)
INBOX_AGE: Final = timedelta(days=14)
IDEMPOTENCY_KEY_AGE: Final = timedelta(hours=24)
