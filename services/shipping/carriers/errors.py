"""How a call to a carrier can end without what was asked for. Messages hold no personal data: they reach logs."""

from __future__ import annotations

import httpx


class CarrierError(Exception):
    """A call to a carrier did not bring what was asked for."""


class UnknownOutcome(CarrierError):
    """The request may have had its effect although no answer came: look it up, or repeat it safely, before anything."""


class Away(CarrierError):
    """The carrier could not be asked, and nothing happened there: try again later.

    Args:
        message: the kind of failure.
        retry_after: seconds after which trying again makes sense; None: as the caller sees fit.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LeftAlone(httpx.ConnectError):
    """Nothing was sent: the carrier is left alone for a while, or it is not the request's turn.

    Args:
        retry_after: seconds after which to come back.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(CarrierError):
    """The carrier says no, and will say so again until somebody corrects something.

    Args:
        reason: the carrier's own sentence. It may repeat personal data, so it goes to the database, not into logs.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("refused by the carrier")
        self.reason = reason


class NotLetIn(Refused):
    """The carrier does not accept the credentials."""


class NotOffered(Refused):
    """The carrier has no such call (its `Capabilities` say so beforehand)."""


class UnreadableCallback(ValueError):
    """A callback that no repetition makes readable; the message says what is wrong, without its values."""
