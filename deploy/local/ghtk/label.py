"""The label of a shipment as a PDF of one page."""

import unicodedata
from io import BytesIO

from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.pagesizes import A5, A6, landscape, portrait
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from deploy.local.carriers.model import Shipment


def label_pdf(shipment: Shipment, *, paper_size: str, original: str) -> bytes:
    """A page with barcode, codes, receiver and the amount to collect.

    Parameters: `paper_size` A5 or A6, `original` portrait or landscape; anything else means A6 and portrait.
    """
    size = A5 if paper_size == "A5" else A6
    width, height = landscape(size) if original == "landscape" else portrait(size)
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=(width, height), invariant=True)
    canvas.setTitle(shipment.waybill)
    Code128(shipment.waybill, barHeight=14 * mm, barWidth=0.22 * mm).drawOn(canvas, 2 * mm, height - 20 * mm)
    text = canvas.beginText(8 * mm, height - 28 * mm)
    text.setFont("Helvetica", 9)
    for line in _lines(shipment):
        text.textLine(line)
    canvas.drawText(text)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _lines(shipment: Shipment) -> list[str]:
    creation = shipment.creation
    return [
        shipment.waybill,
        f"Ma don: {shipment.reference}",
        f"Nguoi nhan: {_ascii(creation.name)}",
        f"Dien thoai: {creation.tel}",
        f"Dia chi: {_ascii(creation.address)}",
        f"Khoi luong: {creation.weight_gram} g",
        f"Thu ho: {shipment.cod} d",
    ]


def _ascii(text: str) -> str:
    """The standard fonts of PDF have no Vietnamese letters."""
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return plain.encode("ascii", "ignore").decode()
