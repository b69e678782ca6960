"""What a carrier would refuse, found before it is called. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.shipping.carriers.capabilities import Capabilities, Limits
from services.shipping.carriers.parcel import Parcel

WEIGHT_SANE_GRAMS: Final = 1_000_000
"""A tonne: above it somebody typed kilograms where grams are meant, whatever the carrier takes."""
MONEY_SANE: Final = 1_000_000_000
"""Đồng. No carrier collects a thousand million from a customer."""

_VIETNAMESE: Final = re.compile(r"\+84(?:[35789][0-9]{8}|2[0-9]{9})")
"""A mobile number, or a fixed line with its area code."""


@dataclass(frozen=True)
class Breach:
    """A rule of the carrier that a parcel breaks, with what to do about it.

    Args:
        code: stable, e.g. 'cod_over_limit'.
    """

    code: str
    vi: str
    en: str


def check(parcel: Parcel, *, title: str, capabilities: Capabilities) -> Sequence[Breach]:
    """The breaches of what every carrier declares."""
    limits = capabilities.limits
    return (
        *_receiver(parcel, title),
        *_weight(parcel, title, limits),
        *_money(parcel, title, limits),
        *_texts(parcel, title, limits),
        *_options(parcel, title, capabilities),
        *_era(parcel, title, capabilities),
    )


def fit_note(note: str, limits: Limits) -> str:
    """The note, cut at a word where there is one near the end."""
    if limits.note_max is None:
        return note
    size = _bytes if limits.note_in_bytes else len
    if size(note) <= limits.note_max:
        return note
    kept = note[: limits.note_max]
    while size(kept) > limits.note_max:
        kept = kept[:-1]
    word = kept.rfind(" ")
    return kept[:word].rstrip() if word > len(kept) // 2 else kept


def _receiver(parcel: Parcel, title: str) -> Iterator[Breach]:
    if not _VIETNAMESE.fullmatch(parcel.phone):
        yield Breach(
            "phone_unusable",
            f"{title} chỉ gọi được số điện thoại Việt Nam; số của người nhận không phải vậy. Sửa số trong đơn rồi đăng lại.",
            f"{title} can only call Vietnamese numbers; the receiver's is not one. Correct it in the order and post again.",
        )
    if not (parcel.to.province.strip() and parcel.to.ward.strip() and parcel.to.detail.strip()):
        yield Breach(
            "address_incomplete",
            "Địa chỉ thiếu tỉnh, phường/xã hoặc số nhà, đường. Bổ sung trong đơn rồi đăng lại.",
            "The address lacks its province, ward or street. Complete it in the order and post again.",
        )


def _weight(parcel: Parcel, title: str, limits: Limits) -> Iterator[Breach]:
    grams = parcel.weight_grams
    if grams <= 0 or any(line.weight_grams < 0 for line in parcel.lines):
        yield Breach(
            "weight_missing",
            "Khối lượng của kiện hàng là 0 hoặc âm. Nhập khối lượng (gam) của từng sản phẩm rồi đăng lại.",
            "The parcel weighs nothing. Enter the weight of each product in grams and post again.",
        )
    elif grams > (most := min(limits.weight_max_grams or WEIGHT_SANE_GRAMS, WEIGHT_SANE_GRAMS)):
        yield Breach(
            "weight_over_limit",
            f"{title} nhận tối đa {_number(most)} g một kiện; kiện này {_number(grams)} g. Kiểm tra khối lượng sản phẩm "
            "(gam, không phải kg), tách kiện hoặc chọn hãng khác.",
            f"{title} takes at most {_number(most)} g a parcel; this one has {_number(grams)} g. Check the products' weights "
            "(grams, not kg), split the parcel or choose another carrier.",
        )


def _money(parcel: Parcel, title: str, limits: Limits) -> Iterator[Breach]:
    if parcel.cod > (most := min(limits.cod_max or MONEY_SANE, MONEY_SANE)):
        yield Breach(
            "cod_over_limit",
            f"{title} thu hộ tối đa {_number(most)} đ một đơn; đơn này {_number(parcel.cod)} đ. Nhận cọc để giảm tiền thu "
            "hộ, tách đơn hoặc chọn hãng khác.",
            f"{title} collects at most {_number(most)} đ an order; this one asks {_number(parcel.cod)} đ. Take a deposit, "
            "split the order or choose another carrier.",
        )
    if parcel.options.insured and parcel.value > (most := min(limits.value_max or MONEY_SANE, MONEY_SANE)):
        yield Breach(
            "value_over_limit",
            f"{title} nhận khai giá tối đa {_number(most)} đ; đơn này {_number(parcel.value)} đ. Tắt khai giá, tách đơn hoặc "
            "chọn hãng khác.",
            f"{title} insures at most {_number(most)} đ; this order is worth {_number(parcel.value)} đ. Send it uninsured, "
            "split it or choose another carrier.",
        )


def _texts(parcel: Parcel, title: str, limits: Limits) -> Iterator[Breach]:
    fields = (
        ("name", "Tên người nhận", "The receiver's name", parcel.recipient, limits.name_max),
        ("detail", "Địa chỉ chi tiết", "The address line", parcel.to.detail, limits.detail_max),
        ("reference", "Mã đơn của shop", "Our reference", parcel.reference, limits.reference_max),
    )
    for code, vi, en, value, most in fields:
        if most is not None and len(value) > most:
            yield Breach(
                f"{code}_too_long",
                f"{vi} dài {len(value)} ký tự; {title} nhận tối đa {most}. Rút gọn trong đơn rồi đăng lại.",
                f"{en} has {len(value)} characters; {title} takes at most {most}. Shorten it in the order and post again.",
            )


def _options(parcel: Parcel, title: str, capabilities: Capabilities) -> Iterator[Breach]:
    options = parcel.options
    if options.payer == "customer" and not capabilities.customer_pays:
        yield Breach(
            "customer_cannot_pay",
            f"{title} không thu phí vận chuyển của khách. Chọn shop trả phí.",
            f"{title} cannot ask its fee of the customer. Let the shop pay it.",
        )
    if options.inspection in ("look", "try") and not capabilities.inspection:
        yield Breach(
            "no_inspection",
            f"{title} không nhận yêu cầu cho xem hàng. Chọn không cho xem hoặc hãng khác.",
            f"{title} takes no request to let the receiver look at the goods. Choose none, or another carrier.",
        )
    if options.failed_delivery_fee and not capabilities.failed_fee:
        yield Breach(
            "no_failed_fee",
            f"{title} không thu phí khi khách không nhận hàng. Bỏ khoản này hoặc chọn hãng khác.",
            f"{title} asks nothing of a receiver who refuses. Leave the fee out or choose another carrier.",
        )
    unknown = [code for code in options.add_ons if code not in capabilities.add_ons]
    if unknown:
        yield Breach(
            "add_on_unknown",
            f"{title} không có dịch vụ cộng thêm {', '.join(unknown)}. Bỏ chọn rồi đăng lại.",
            f"{title} has no further service {', '.join(unknown)}. Leave it out and post again.",
        )


def _era(parcel: Parcel, title: str, capabilities: Capabilities) -> Iterator[Breach]:
    if parcel.to.era in capabilities.eras:
        return
    if parcel.to.era == "old":
        yield Breach(
            "address_era",
            f"{title} chỉ nhận địa chỉ mới (tỉnh, phường/xã) từ 01/07/2025. Chuyển địa chỉ của đơn sang phường/xã mới rồi "
            "đăng lại.",
            f"{title} takes only the two-tier addresses since 2025-07-01. Convert the order's address and post again.",
        )
    else:
        yield Breach(
            "address_era",
            f"{title} chỉ nhận địa chỉ cũ có quận/huyện. Nhập địa chỉ cũ trong đơn hoặc chọn hãng khác.",
            f"{title} takes only the former three-tier addresses. Enter that form in the order or choose another carrier.",
        )


def _bytes(text: str) -> int:
    return len(text.encode())


def _number(value: int) -> str:
    """'50.000.000', as it is written in Vietnam."""
    return f"{value:,}".replace(",", ".")
