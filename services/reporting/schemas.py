"""What the reports answer. Counts are orders, money is đồng, shares and rates are fractions of 1."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field, computed_field

from services.reporting.projection import divides


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


class FunnelRow(BaseModel):
    """How far the numbers of a cohort came, each level 'reached at least once'."""

    key: str = Field(description="the group's value; empty for the total")
    c3: int
    duplicates: int
    l1: int
    l5: int
    l7: int
    l8: int
    net_closed: int = Field(description="reached L5 and neither cancelled, reopened nor merged later")
    merged: int = Field(description="closed, then merged into another order: counted there, and not as cancelled")

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order of decorators
    @property
    def close_rate(self) -> float | None:
        """Reached L5 ÷ clean numbers (rule D32)."""
        return _rate(self.l5, self.l1)

    @computed_field  # type: ignore[prop-decorator]  # as above
    @property
    def lead_to_delivered(self) -> float | None:
        """L8 ÷ C3."""
        return _rate(self.l8, self.c3)


class Divided(BaseModel):
    """Orders of a level, and of these what nobody cares for (rule D14) and what was merged (rule D20). The parts are shown
    to whoever sees everything."""

    level: str
    final: bool = Field(description="whether it ends an order (rule D35)")
    orders: int
    floating: int = Field(default=0, description="of these, in the floating pool (kho thả nổi)")
    archived: int = Field(default=0, description="of these, in the archive (lưu trữ): nobody claimed them in time")

    merged: int = Field(default=0, description="of these (L5.3), merged into another order: no cancellation")

    @computed_field  # type: ignore[prop-decorator]  # as above
    @property
    def in_care(self) -> int | None:
        """Of these, with somebody or waiting for somebody (đang chăm); null where a level is no level of care."""
        return self.orders - self.floating - self.archived if divides(self.level, self.final) else None


class StatusRow(Divided):
    main_level: str
    share: float


class IncurredRow(BaseModel):
    key: str
    level: str
    entered: int
    left: int
    moved_in: int = Field(description="came from another person at this level (rule D23)")
    moved_out: int


class RemainingRow(Divided):
    key: str


class IdentityRow(BaseModel):
    level: str
    place: Literal["", "floating", "archived", "merged"] = Field(
        default="",
        description="of a level of care, what lies in the floating pool or in the archive; of L5.3, what was merged; "
        "empty: all of it",
    )
    entered: int
    left: int
    remaining: int = Field(description="orders whose present level this is, counted one by one")

    @computed_field  # type: ignore[prop-decorator]  # as above
    @property
    def holds(self) -> bool:
        return self.entered - self.left == self.remaining


class MoneyRow(BaseModel):
    kind: Literal["closed", "delivered", "received", "compensated"]
    orders: int
    amount: int


class TransitionRow(BaseModel):
    transition_id: UUID
    order_id: UUID
    from_level: str | None
    to_level: str
    at: datetime
    recorded_at: datetime
    cause: str
    actor: str


class Period(BaseModel):
    first: date
    last: date


class FunnelReport(BaseModel):
    basis: Literal["cohort"] = "cohort"
    period: Period
    rows: list[FunnelRow]


class StatusReport(BaseModel):
    basis: Literal["cohort"] = "cohort"
    period: Period
    rows: list[StatusRow]


class IncurredReport(BaseModel):
    basis: Literal["activity"] = "activity"
    period: Period
    rows: list[IncurredRow]


class RemainingReport(BaseModel):
    basis: Literal["as_of"] = "as_of"
    at: date
    rows: list[RemainingRow]


class IdentityReport(BaseModel):
    holds: bool
    rows: list[IdentityRow]


class MoneyReport(BaseModel):
    basis: Literal["activity"] = "activity"
    period: Period
    rows: list[MoneyRow]


class TransitionPage(BaseModel):
    items: list[TransitionRow]
    next: UUID | None
