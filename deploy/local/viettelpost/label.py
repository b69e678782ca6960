"""Labels of shipments, one a page: PDF, or the HTML page that ViettelPost's print address often answers with."""

import unicodedata
from collections.abc import Sequence
from html import escape
from io import BytesIO

from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.pagesizes import A5, A6
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from deploy.local.carriers.model import Shipment
from deploy.local.viettelpost.model import as_created

_A5 = "1"


def labels_pdf(shipments: Sequence[Shipment], *, paper: str) -> bytes:
    """Parameters: `paper` is `type` of the print address: 1 = A5, everything else A6."""
    width, height = A5 if paper == _A5 else A6
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=(width, height), invariant=True)
    for shipment in shipments:
        Code128(shipment.waybill, barHeight=14 * mm, barWidth=0.25 * mm).drawOn(canvas, 4 * mm, height - 20 * mm)
        text = canvas.beginText(8 * mm, height - 28 * mm)
        text.setFont("Helvetica", 9)
        for line in _lines(shipment):
            text.textLine(_ascii(line))
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def labels_html(shipments: Sequence[Shipment]) -> str:
    pages = ("<br>".join(map(escape, _lines(shipment))) for shipment in shipments)
    return "<html><body>" + "".join(f"<section>{page}</section>" for page in pages) + "</body></html>"


def _lines(shipment: Shipment) -> list[str]:
    creation = as_created(shipment.creation)
    return [
        shipment.waybill,
        f"Mã đơn: {creation.order_reference}",
        f"Người nhận: {creation.name}",
        f"Điện thoại: {creation.tel}",
        f"Địa chỉ: {creation.address}",
        f"Khối lượng: {creation.weight_gram} g",
        f"Thu hộ: {shipment.cod} đ",
    ]


def _ascii(text: str) -> str:
    """The standard fonts of PDF have no Vietnamese letters."""
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return plain.encode("ascii", "ignore").decode()
