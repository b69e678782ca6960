"""The routes of the money: what is owed, statements, the bank, differences, what was agreed with carriers."""

from __future__ import annotations

from typing import Final

from services.shipping.api.cod.bank import router as bank
from services.shipping.api.cod.contracts import router as contracts
from services.shipping.api.cod.differences import router as differences
from services.shipping.api.cod.shipments import router as shipments
from services.shipping.api.cod.statements import router as statements
from services.shipping.api.cod.summary import router as summary

routers: Final = (summary, statements, differences, bank, contracts, shipments)
