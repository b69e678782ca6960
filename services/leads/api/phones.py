"""How a number is read: for whoever wonders why something was or was not a number."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.leads.api.dependencies import Reader
from shared.errors import Language, language_of
from shared.phone.explain import Explanation, explain
from shared.phone.masking import national

router = APIRouter(prefix="/v1/phones", tags=["phones"])


class ExplainIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"text": "SĐT: +84 (0) 168.234.5678 hoặc O912 345 678 (zalo)"}}
    )

    text: str = Field(max_length=2_000, description="a field or a cell, as it was typed")


class Step(BaseModel):
    code: str
    text: str = Field(description="what was done, in words")


class NumberOut(BaseModel):
    e164: str = Field(description="the identity: all spellings of a number have the same")
    national: str = Field(description="as people here dial it")
    kind: Literal["mobile", "landline", "foreign"]
    operator: str = Field(description="whom the prefix was given to, or the province of a landline; may be empty")
    typed: str = Field(description="the part of the text that it was read from")
    steps: list[Step]


class IgnoredOut(BaseModel):
    typed: str
    code: str
    text: str = Field(description="why it is no number, and what to do")


class ExplanationOut(BaseModel):
    numbers: list[NumberOut] = Field(description="in order of appearance; the first identifies the customer")
    ignored: list[IgnoredOut]
    problem: Step | None = Field(description="why there is no number at all, and what to do")


@router.post("/explain")
async def explain_phone(body: ExplainIn, _: Reader, request: Request) -> ExplanationOut:
    """Shows how a text is read as phone numbers, step by step. Nothing is stored."""
    return explanation_out(explain(body.text), language_of(request))


def explanation_out(found: Explanation, language: Language) -> ExplanationOut:
    """An explanation in one language."""
    problem = found.problem
    return ExplanationOut(
        numbers=[
            NumberOut(
                e164=one.e164,
                national=national(one.e164),
                kind=one.kind.value,
                operator=one.operator,
                typed=one.typed,
                steps=[Step(code=step.code, text=step.vi if language == "vi" else step.en) for step in one.steps],
            )
            for one in found.numbers
        ],
        ignored=[
            IgnoredOut(
                typed=part.typed,
                code=part.problem.code,
                text=part.problem.vi if language == "vi" else part.problem.en,
            )
            for part in found.ignored
        ],
        problem=Step(code=problem.code, text=problem.vi if language == "vi" else problem.en) if problem else None,
    )
