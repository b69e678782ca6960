"""Which connection takes a parcel that nobody chose one for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.shipping.units.naming import unit_key


class PostingRule(BaseModel):
    """A rule: all of its conditions have to hold; one that is left out holds always."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, examples=["Miền Nam, hàng nhẹ"])
    connection_id: UUID
    pick_up_id: UUID | None = Field(default=None, description="of that connection; null: its default place")
    provinces: tuple[str, ...] = Field(
        default=(),
        max_length=63,
        description="of the receiver, as names; empty: all",
        examples=[["Hồ Chí Minh", "Đồng Nai"]],
    )
    from_grams: int = Field(default=0, ge=0)
    below_grams: int | None = Field(default=None, gt=0)
    from_cod: int = Field(default=0, ge=0, description="đồng")
    below_cod: int | None = Field(default=None, gt=0)

    def fits(self, *, province: str, grams: int, cod: int) -> bool:
        """Whether a parcel meets all conditions."""
        return (
            (not self.provinces or unit_key(province) in {unit_key(each) for each in self.provinces})
            and self.from_grams <= grams
            and (self.below_grams is None or grams < self.below_grams)
            and self.from_cod <= cod
            and (self.below_cod is None or cod < self.below_cod)
        )


def choose(
    rules: Sequence[PostingRule], *, enabled: Collection[UUID], province: str, grams: int, cod: int
) -> tuple[UUID, UUID | None] | None:
    """The connection, and the pick-up place if a rule names one; None: several are enabled and no rule fits.

    Args:
        enabled: connections that take parcels; a rule for another one is passed over.
        grams: of the whole parcel.
    """
    for rule in rules:
        if rule.connection_id in enabled and rule.fits(province=province, grams=grams, cod=cod):
            return rule.connection_id, rule.pick_up_id
    if len(enabled) == 1:
        return next(iter(enabled)), None
    return None
