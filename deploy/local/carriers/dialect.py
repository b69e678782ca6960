"""What one carrier does differently from another: the whole of a carrier simulator that is not in this package."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from deploy.local.carriers.faults import Faults
from deploy.local.carriers.life import Road
from deploy.local.carriers.model import CarrierSettings, Creation, Entry, Fees, Shipment


@dataclass(frozen=True, slots=True)
class Message:
    """The body of a callback."""

    content_type: str
    body: bytes


def _too_many_requests() -> Response:
    return JSONResponse({"message": "Too many requests"}, status_code=429)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One carrier.

    Parameters:
        title: its name, for people.
        road: its statuses and reasons.
        router: its HTTP API.
        settings: how it is set up.
        faults: its switches, where it has more than the common ones.
        waybill: the carrier's code for the n-th parcel (from 1).
        fees: what a parcel costs.
        callback: what it tells the shop of a change; None where it tells nothing.
        reports_creation: the creation itself is told by callback.
        too_many: how it answers who asks too often.
    """

    title: str
    road: Road
    router: APIRouter
    settings: type[CarrierSettings]
    faults: type[Faults] = Faults
    waybill: Callable[[CarrierSettings, int, Creation], str]
    fees: Callable[[Creation], Fees]
    callback: Callable[[CarrierSettings, Shipment, Entry], Message | None]
    reports_creation: bool = False
    too_many: Callable[[], Response] = _too_many_requests
