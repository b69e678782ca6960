"""PDFs put together, and the mark of a reprint on pages that are not ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Final

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from reportlab.pdfgen.canvas import Canvas

from services.shipping.paper import fonts

_POINTS: Final = 7
_EDGE: Final = 4
"""Points from the upper edge, where carriers' labels are white."""


class NotAPdf(ValueError):
    """The carrier sent something else."""


def merge(parts: Iterable[bytes]) -> bytes:
    """One PDF of several, in their order."""
    writer = PdfWriter()
    for part in parts:
        writer.append(BytesIO(part), import_outline=False)
    merged = BytesIO()
    writer.write(merged)
    return merged.getvalue()


def marked(content: bytes, numbers: Sequence[int]) -> bytes:
    """A carrier's labels with 'IN LẠI · lần n' on the pages of those that were printed before.

    Args:
        numbers: of the parcels; where the PDF has a page for each, in order, each page gets its own mark, else all pages
            get the mark of the first.

    Raises:
        NotAPdf: it cannot be read as one.
    """
    try:
        pages = PdfReader(BytesIO(content)).pages
        if not pages:
            raise NotAPdf("no pages")
        if max(numbers) == 1:
            return content
        each = numbers if len(numbers) == len(pages) else [numbers[0]] * len(pages)
        writer = PdfWriter()
        for page, number in zip(pages, each, strict=True):
            added = writer.add_page(page)
            if number > 1:
                box = added.mediabox
                added.merge_page(PdfReader(BytesIO(_mark(number, float(box.width), float(box.height)))).pages[0])
        ink = BytesIO()
        writer.write(ink)
        return ink.getvalue()
    except PyPdfError as error:
        raise NotAPdf(type(error).__name__) from None


def _mark(number: int, width: float, height: float) -> bytes:
    fonts.register()
    ink = BytesIO()
    canvas = Canvas(ink, pagesize=(width, height))
    canvas.setFont(fonts.BOLD, _POINTS)
    canvas.drawCentredString(width / 2, height - _POINTS - _EDGE, f"IN LẠI · lần {number}")
    canvas.save()
    return ink.getvalue()
