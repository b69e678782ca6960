"""Moments and days in requests: within the years that are reckoned with, in every service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from importlib import import_module
from typing import Annotated, Any, cast

import httpx
import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared import errors, http
from shared.db import Database
from shared.given import GivenDate, GivenInstant
from shared.messaging_api import messaging_router
from shared.service import Service

BOUNDS = {
    "date-time": ("1900-01-01T00:00:00Z", "2200-01-01T00:00:00Z"),
    "date": ("1900-01-01", "2200-01-01"),
}


def _times(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where a request holds a moment or a day, and its schema."""
    models = document["components"]["schemas"]

    def within(schema: dict[str, Any], place: str, above: frozenset[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        if (reference := schema.get("$ref")) is not None:
            name = reference.rsplit("/", 1)[1]
            if name not in above:
                yield from within(models[name], place, above | {name})
            return
        if schema.get("format") in BOUNDS:
            yield place, schema
        for kind in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for part in schema.get(kind, ()):
                yield from within(part, place, above)
        for kind in ("items", "additionalProperties", "propertyNames"):
            if isinstance(schema.get(kind), dict):
                yield from within(schema[kind], f"{place}[]", above)
        for name, part in schema.get("properties", {}).items():
            yield from within(part, f"{place}.{name}", above)

    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                yield from within(parameter["schema"], f"{method} {path} {parameter['name']}", frozenset())
            for media in operation.get("requestBody", {}).get("content", {}).values():
                yield from within(media["schema"], f"{method} {path} body", frozenset())


@pytest.mark.parametrize("name", ["leads", "orders", "shipping", "reporting", "staff"])
def test_every_moment_and_day_in_a_request_is_bounded(name: str) -> None:
    service: Service = import_module(f"services.{name}.app").SERVICE
    app = FastAPI()
    # Only described, not called: no database stands behind it.
    for router in (*service.routers(), messaging_router(name, cast(Database, None), service.all_handlers())):
        http.add_routes(app, router)
    times = list(_times(app.openapi()))
    assert times
    unbounded = [
        place
        for place, schema in times
        if (schema.get("formatMinimum"), schema.get("formatExclusiveMaximum")) != BOUNDS[schema["format"]]
    ]
    assert unbounded == [], "use GivenInstant or GivenDate of shared/given.py"


@pytest.mark.parametrize("given", ["1900-01-01T00:00:00+14:00", "2199-12-31T23:59:59.999999-12:00"])
def test_a_moment_is_kept_as_it_was_given(given: str) -> None:
    kept = TypeAdapter[datetime](GivenInstant).validate_python(given)
    assert kept.isoformat() == given


@pytest.mark.parametrize(
    "given",
    ["0001-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "253402300799000"],
)
def test_a_moment_at_the_ends_of_the_calendar_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="must lie in the years 1900 to 2199"):
        TypeAdapter(GivenInstant).validate_python(given)


def test_a_day_at_the_ends_of_the_calendar_is_refused() -> None:
    day = TypeAdapter[date](GivenDate)
    assert day.validate_python("2199-12-31") == date(2199, 12, 31)
    for given in ("0001-01-01", "9999-12-31"):
        with pytest.raises(ValidationError, match="must lie in the years 1900 to 2199"):
            day.validate_python(given)


class _Body(BaseModel):
    days: list[GivenDate]


async def test_the_refusal_names_the_field_in_both_languages() -> None:
    app = FastAPI()
    errors.install(app)

    @app.post("/")
    async def take(body: _Body, since: Annotated[GivenInstant | None, Query()] = None) -> None: ...

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.test") as client:
        asked = {"params": {"since": "9999-12-31T23:59:59Z"}, "json": {"days": ["2026-11-23", "9999-12-31"]}}
        vietnamese = await client.post("/", **asked)  # type: ignore[arg-type]  # one dict for several arguments
        english = await client.post("/", headers={"Accept-Language": "en"}, **asked)  # type: ignore[arg-type]  # the same
    assert vietnamese.status_code == english.status_code == 422
    assert {error["field"]: error["message"] for error in vietnamese.json()["errors"]} == {
        "query.since": "phải nằm trong khoảng từ năm 1900 đến năm 2199",
        "body.days.1": "phải nằm trong khoảng từ năm 1900 đến năm 2199",
    }
    assert {error["message"] for error in english.json()["errors"]} == {"must lie in the years 1900 to 2199"}
