"""A lead as the Graph API answers → an item's content. Pure.

Source: Meta's "Retrieving Leads", 2026: `field_data` is a list of {name, values}, with names of its own for the standard
questions and the question's text, made a name, for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from services.leads.facebook.documents import loads
from services.leads.form_fields import joined, read_content
from services.leads.intake.items import Candidate, Origin, Rejection
from services.leads.sources import KnownSource
from services.leads.text import cell, plain

Field = Literal["phone", "other_phone", "name", "product", "note", "address", "ignore"]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)

MAX_CAMPAIGN: Final = 200
MAX_ID: Final = 200
MAX_QUESTION: Final = 200
MAX_CONSENT: Final = 2_000

_STANDARD: Final[dict[str, Field]] = {
    "phone_number": "phone",
    "phone": "phone",
    "work_phone_number": "other_phone",
    "full_name": "name",
    "first_name": "name",
    "last_name": "name",
    "street_address": "address",
    "city": "address",
    "province": "address",
    "state": "address",
}
_ALIASES: Final[dict[str, Field]] = {
    **{plain(name): "phone" for name in ("số điện thoại", "sđt", "số điện thoại của bạn", "điện thoại", "số di động")},
    **{plain(name): "other_phone" for name in ("zalo", "số zalo", "số điện thoại khác")},
    **{plain(name): "name" for name in ("họ tên", "họ và tên", "tên", "tên của bạn")},
    **{plain(name): "address" for name in ("địa chỉ", "địa chỉ nhận hàng", "địa chỉ của bạn")},
    **{plain(name): "product" for name in ("sản phẩm", "mã sản phẩm")},
}
_JOINTS: Final = {"phone": " / ", "other_phone": " / ", "note": "\n", "name": " "}
_LABELS: Final = {"email": "Email", "work_email": "Email", "company_name": "Công ty", "job_title": "Chức vụ"}

UNREADABLE: Final = Rejection(
    "facebook_answer_unreadable",
    vi="Facebook trả về nội dung không đọc được. Nội dung đã được giữ lại; xem lại trong trình quản lý biểu mẫu.",
    en="Facebook's answer could not be read. It is kept; look the lead up in the forms library.",
)
NO_PHONE_FIELD: Final = Rejection(
    "phone_field_missing",
    vi="Biểu mẫu không có câu hỏi số điện thoại. Khai báo câu hỏi nào là số điện thoại ở mục Facebook, hoặc sửa biểu mẫu.",
    en="The form does not ask for a phone number. Say which question is the number, or change the form.",
)


@dataclass(frozen=True, slots=True)
class FormRules:
    """How the leads of one form are read, and where they come from."""

    product: str = ""
    marketer: str = ""
    consent_text: str = ""
    field_map: Mapping[str, str] = field(default_factory=dict)
    source: KnownSource | None = None


@dataclass(frozen=True, slots=True)
class FormMap:
    """What a form's leads are read by: its map, and the product they are about."""

    field_map: dict[str, str]
    product: str


@dataclass(frozen=True, slots=True)
class FormLead:
    """A lead as read: its dimensions, and the customer or why there is none."""

    form_id: str
    created_time: datetime | None
    ad_id: str
    adset_id: str
    campaign_id: str
    origin: Origin
    content: Candidate | Rejection


def read_lead(answer: bytes, *, rules: FormRules, form_id: str) -> FormLead:
    """Reads a lead.

    Args:
        answer: as Facebook sent it.
        form_id: of the push, for an answer that does not name its form.
    """
    document = loads(answer)
    ids = {name: _id(document.get(name)) for name in ("form_id", "ad_id", "adset_id", "campaign_id")}
    questions = _questions(document.get("field_data"))
    values = _map(questions, rules.field_map)
    return FormLead(
        form_id=ids["form_id"] or form_id,
        created_time=read_time(document.get("created_time")),
        ad_id=ids["ad_id"],
        adset_id=ids["adset_id"],
        campaign_id=ids["campaign_id"],
        origin=_origin(document, ids, rules, form_id=ids["form_id"] or form_id),
        content=UNREADABLE if questions is None else _content(values, rules),
    )


def read_again(answer: bytes, form: FormMap) -> Candidate | Rejection:
    """A lead that was rejected, by today's map of its form."""
    try:
        questions = _questions(loads(answer).get("field_data"))
    except (ValueError, AttributeError):
        questions = None
    rules = FormRules(product=form.product)
    return UNREADABLE if questions is None else _content(_map(questions, form.field_map), rules)


def read_time(value: Any) -> datetime | None:
    """'2026-11-21T02:00:00+0000' → a moment."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None


def _content(values: Mapping[str, str], rules: FormRules) -> Candidate | Rejection:
    product = rules.product or (rules.source.product if rules.source else "")
    return read_content(values, product=product, no_phone=NO_PHONE_FIELD)


def _origin(document: Mapping[str, Any], ids: Mapping[str, str], rules: FormRules, *, form_id: str) -> Origin:
    """The campaign is Facebook's, by name if it says it; organic leads have none and take the source's."""
    name = document.get("campaign_name")
    named = cell(name, MAX_CAMPAIGN) if isinstance(name, str) else ""
    campaign = named or ids["campaign_id"] or ids["adset_id"] or ids["ad_id"]
    source = rules.source
    consent = [rules.consent_text or (source.consent_text if source else ""), *_disclaimers(document)]
    return Origin(
        channel="facebook_form",
        source_id=source.id if source else None,
        campaign=campaign or (source.campaign if source else ""),
        marketer=rules.marketer or (source.marketer if source else ""),
        asked_to_be_called=source.asked_to_be_called if source else True,
        consent_text=cell("\n".join(filter(None, consent)), MAX_CONSENT),
        consent_page=f"facebook form {form_id}",
    )


def _disclaimers(document: Mapping[str, Any]) -> Iterable[str]:
    """Boxes of the form's own that the customer ticked or did not tick."""
    responses = document.get("custom_disclaimer_responses")
    for response in responses if isinstance(responses, list) else ():
        if isinstance(response, dict) and isinstance(key := response.get("checkbox_key"), str):
            ticked = str(response.get("is_checked")).casefold() in ("1", "true")
            yield f"{cell(key, MAX_QUESTION)}: {'đồng ý' if ticked else 'không đồng ý'}"


def _questions(data: Any) -> list[tuple[str, str]] | None:
    """Names of fields and answers, in the form's order; None when there are no fields at all."""
    if not isinstance(data, list):
        return None
    questions = []
    for one in data:
        if isinstance(one, dict) and isinstance(name := one.get("name"), str):
            values = one.get("values")
            answers = [str(value) for value in values if value is not None] if isinstance(values, list) else []
            questions.append((name, ", ".join(answers)))
    return questions


def _map(questions: Iterable[tuple[str, str]] | None, field_map: Mapping[str, str]) -> dict[str, str]:
    """Field of a lead → text."""
    return joined((_meant(name, text, field_map) for name, text in questions or ()), joints=_JOINTS)


def _meant(name: str, text: str, field_map: Mapping[str, str]) -> tuple[str, str]:
    """The form's own map comes first; a question that means nothing here goes to the note, so that nothing a customer
    wrote is lost."""
    meaning = field_map.get(name) or _STANDARD.get(name) or _ALIASES.get(plain(name)) or "note"
    if meaning == "note" and text.strip():
        text = f"{_LABELS.get(name) or cell(name, MAX_QUESTION).replace('_', ' ')}: {text}"
    return meaning, text


def _id(value: Any) -> str:
    return cell(str(value), MAX_ID) if isinstance(value, int | str) and not isinstance(value, bool) else ""
