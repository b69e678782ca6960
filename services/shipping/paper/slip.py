"""Our own slip of one parcel, on A5, A6 or an 80 mm roll. Pure: data in, ink out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from typing import Final

import segno
from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.pagesizes import A5, A6
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from services.shipping.paper import fonts
from services.shipping.paper.asking import Size

SIZES: Final[tuple[Size, ...]] = ("A5", "A6", "80mm")
_ROLL: Final = (80 * mm, 130 * mm)
"""What the longest slip needs."""
_PAGES: Final[dict[Size, tuple[float, float]]] = {"A5": A5, "A6": A6, "80mm": _ROLL}
_SCALE: Final[dict[Size, float]] = {"A5": 1.35, "A6": 1.0, "80mm": 0.85}
"""Of letters and gaps, against A6."""
_MARGIN: Final = 4 * mm
_QR: Final = 20 * mm
_QR_QUIET: Final = 2
"""White modules around a QR code; the paper beside it is white as well, which makes up the four that readers want."""
_BARCODE: Final = 13 * mm
_BAR_MAX: Final = 0.5 * mm
"""The narrowest bar of a barcode is no wider: readers at arm's length want the whole code in sight."""
_QUIET: Final = 2.5 * mm
"""White beside a barcode, without which readers don't find its beginning (ISO/IEC 15417: ten times the narrowest bar)."""


@dataclass(frozen=True)
class Party:
    """A sender or a receiver."""

    name: str
    phone: str
    address: str


@dataclass(frozen=True)
class SlipLine:
    quantity: int
    name: str
    sku: str


@dataclass(frozen=True)
class Slip:
    """What is printed. Money in đồng.

    Args:
        code: the waybill, or our reference where the carrier gives none; ASCII.
        number: how often this slip has been printed with this time; above 1 it says so.
    """

    code: str
    order_code: str
    carrier: str
    service: str
    sort_code: str
    sender: Party
    receiver: Party
    lines: tuple[SlipLine, ...]
    weight_grams: int
    cod: int
    note: str
    inspection: str
    number: int
    printed: str


def money(amount: int) -> str:
    """'350.000 đ'."""
    return f"{amount:,}".replace(",", ".") + " đ"


def draw(slips: Sequence[Slip], size: Size) -> bytes:
    """A PDF with a page for each slip."""
    fonts.register()
    ink = BytesIO()
    canvas = Canvas(ink, pagesize=_PAGES[size], pageCompression=1)
    canvas.setTitle("Chốt · phiếu giao hàng")
    for slip in slips:
        _Page(canvas, size).draw(slip)
        canvas.showPage()
    canvas.save()
    return ink.getvalue()


class _Page:
    """One slip, from the top down.

    Args:
        canvas: of the PDF, on a fresh page.
    """

    def __init__(self, canvas: Canvas, size: Size) -> None:
        self._canvas = canvas
        self._scale = _SCALE[size]
        width, height = _PAGES[size]
        self._left, self._right = _MARGIN, width - _MARGIN
        self._y = height - _MARGIN

    @property
    def _width(self) -> float:
        return float(self._right - self._left)

    def draw(self, slip: Slip) -> None:
        self._head(slip)
        self._barcode(slip.code)
        self._party("Người gửi", slip.sender, size=8)
        self._party("Người nhận", slip.receiver, size=10)
        self._cod(slip)
        self._goods(slip)
        self._foot(slip)

    def _head(self, slip: Slip) -> None:
        side = _QR * self._scale
        top = self._y
        self._qr(slip.code, x=self._right - side, y=top - side, side=side)
        room = self._width - side - 2 * mm
        self._text(slip.carrier, size=13, bold=True, within=room)
        if slip.service:
            self._text(slip.service, size=8, within=room)
        self._text(f"Đơn {slip.order_code}", size=10, bold=True, within=room)
        if slip.sort_code:
            self._text(slip.sort_code, size=12, bold=True, within=room)
        if slip.number > 1:
            self._text(f"IN LẠI · lần {slip.number}", size=9, bold=True, within=room)
        self._y = min(self._y - 1.5 * mm * self._scale, top - side)

    def _qr(self, code: str, *, x: float, y: float, side: float) -> None:
        rows = segno.make_qr(code, error="m").matrix
        module = side / (len(rows) + 2 * _QR_QUIET)
        squares = self._canvas.beginPath()
        for number, row in enumerate(rows):
            bottom = y + side - (number + 1 + _QR_QUIET) * module
            place = 0
            for dark, run in groupby(row):
                length = len(list(run))
                if dark:
                    squares.rect(x + (place + _QR_QUIET) * module, bottom, length * module, module)
                place += length
        self._canvas.drawPath(squares, stroke=0, fill=1)

    def _barcode(self, code: str) -> None:
        room = self._width - 2 * _QUIET
        modules = Code128(code, barWidth=1, quiet=False).width
        bars = Code128(code, barWidth=min(_BAR_MAX, room / modules), barHeight=_BARCODE * self._scale, quiet=False)
        self._y -= bars.height
        bars.drawOn(self._canvas, self._left + (self._width - bars.width) / 2, self._y)
        self._text(code, size=10, bold=True, centred=True)
        self._rule()

    def _party(self, title: str, party: Party, *, size: float) -> None:
        self._text(title, size=7)
        self._text(f"{party.name} · {party.phone}", size=size + 1, bold=True, at_most=2)
        self._text(party.address, size=size, at_most=3)
        self._rule()

    def _cod(self, slip: Slip) -> None:
        if slip.cod:
            self._text("Thu hộ (COD)", size=8, centred=True)
            self._text(money(slip.cod), size=18, bold=True, centred=True)
        else:
            self._text("Không thu tiền", size=14, bold=True, centred=True)
        self._rule()

    def _goods(self, slip: Slip) -> None:
        weight = f"{slip.weight_grams / 1000:.2f} kg".replace(".", ",")
        pieces = sum(line.quantity for line in slip.lines)
        self._text(f"Hàng hóa: {pieces} món · {weight}", size=8, bold=True)
        shown = slip.lines[:6]
        for line in shown:
            self._text(f"{line.quantity} × {line.name} ({line.sku})", size=8)
        if len(slip.lines) > len(shown):
            self._text(f"… và {len(slip.lines) - len(shown)} dòng khác", size=8)
        if slip.inspection:
            self._text(slip.inspection, size=9, bold=True)
        if slip.note:
            self._text(f"Ghi chú: {slip.note}", size=8, at_most=3)

    def _foot(self, slip: Slip) -> None:
        self._y = _MARGIN + 3 * mm
        self._text(f"In {slip.printed}", size=6)

    def _rule(self) -> None:
        self._y -= 1.5 * mm * self._scale
        self._canvas.setLineWidth(0.4)
        self._canvas.line(self._left, self._y, self._right, self._y)
        self._y -= 0.5 * mm * self._scale

    def _text(
        self,
        text: str,
        *,
        size: float,
        bold: bool = False,
        centred: bool = False,
        within: float | None = None,
        at_most: int = 1,
    ) -> None:
        points = size * self._scale
        self._canvas.setFont(fonts.BOLD if bold else fonts.TEXT, points)
        room = self._width if within is None else within
        for line in fonts.lines(text, size=points, within=room, bold=bold, at_most=at_most):
            self._y -= points * 1.2
            if centred:
                self._canvas.drawCentredString(self._left + self._width / 2, self._y, line)
            else:
                self._canvas.drawString(self._left, self._y, line)
