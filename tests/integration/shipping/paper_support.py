"""Prints as somebody who packs asks for them and reads them."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from uuid import UUID

from pypdf import PdfReader

from services.shipping.paper import turn
from tests.integration.shipping.support import Shop


async def ask(shop: Shop, *shipment_ids: UUID, kind: str = "slip", size: str = "A6") -> dict[str, Any]:
    body = {"kind": kind, "size": size, "shipment_ids": [str(each) for each in shipment_ids]}
    answer = await shop.client.post("/v1/prints", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def make(shop: Shop, wanted: dict[str, Any]) -> dict[str, Any]:
    """What the workflow does; the print as it is then."""
    while not (await turn.advance(shop.context, UUID(wanted["id"]))).done:
        pass
    return dict((await shop.client.get(f"/v1/prints/{wanted['id']}")).json())


async def pages(shop: Shop, wanted: dict[str, Any]) -> list[str]:
    """The text of each page of a print that is done."""
    answer = await shop.client.get(f"/v1/prints/{wanted['id']}/file")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    return [page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages]
