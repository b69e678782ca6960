"""A carrier that is told of nothing: the company's own courier, or one without an interface.

Its waybills are typed from stickers or are our references; its statuses are entered by people or come in files.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

from services.shipping.carriers.access import Credential
from services.shipping.carriers.answers import CallbackMessage, Cancellation, CancelOutcome, Created, Report
from services.shipping.carriers.base import Carrier
from services.shipping.carriers.capabilities import AdoptBy, Capabilities, Settlement
from services.shipping.carriers.codes import CodeTable, StatusMeaning
from services.shipping.carriers.errors import UnreadableCallback
from services.shipping.carriers.parcel import Parcel

CODES: Final = CodeTable(
    statuses={
        "accepted": StatusMeaning("accepted", "Đã nhận đơn", "Accepted", cancellable=True),
        "picked_up": StatusMeaning("picked_up", "Đã lấy hàng", "Picked up"),
        "out_for_delivery": StatusMeaning("out_for_delivery", "Đang giao", "Out for delivery"),
        "delivery_failed": StatusMeaning("delivery_failed", "Giao không thành công", "Delivery failed"),
        "delivered": StatusMeaning("delivered", "Đã giao", "Delivered"),
        "cod_paid": StatusMeaning("delivered", "Đã nộp tiền thu hộ", "COD handed in", final=True, settles=True),
        "returning": StatusMeaning("returning", "Đang hoàn", "Returning"),
        "returned": StatusMeaning("returned", "Đã hoàn", "Returned", final=True),
        "lost": StatusMeaning("lost", "Thất lạc, hư hỏng", "Lost or damaged", final=True),
        "pickup_failed": StatusMeaning("pickup_failed", "Không lấy được hàng", "Pick-up failed", final=True),
        "cancelled": StatusMeaning("cancelled", "Đã hủy", "Cancelled", final=True),
    },
    reasons={},
)


class Manual(Carrier):
    """One courier or carrier that people report for."""

    name: ClassVar[str] = "manual"
    title: ClassVar[str] = "Tự giao, hãng khác"
    default_url: ClassVar[str] = ""
    credentials: ClassVar[tuple[Credential, ...]] = ()
    capabilities: ClassVar[Capabilities] = Capabilities(
        adopt_by=AdoptBy.REPEAT,
        track=False,
        callbacks=False,
        settlement=Settlement.STATEMENT,
        inspection=True,
        customer_pays=True,
        failed_fee=True,
    )
    codes: ClassVar[CodeTable] = CODES

    async def test(self) -> None:
        """There is nobody to be asked."""

    async def create(self, parcel: Parcel) -> Created:
        return Created(waybill=parcel.waybill or parcel.reference, raw_status="accepted", fee=0)

    async def cancel(self, reference: str, *, waybill: str) -> Cancellation:
        now = datetime.now(UTC)
        return Cancellation(CancelOutcome.CANCELLED, Report(waybill or reference, reference, "cancelled", now))

    @classmethod
    def read_callback(cls, message: CallbackMessage) -> Sequence[Report]:
        raise UnreadableCallback("nobody calls back for this carrier")
