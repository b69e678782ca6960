"""What is wrong with a request is told in the language of whoever sent it, also what our own validators find."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, model_validator

from shared import errors
from shared.errors import Mistake

SERVICES = Path(__file__).parents[2] / "services"
NOT_OF_REQUESTS = ("settings.py", "orders/care/process.py")
"""What is read at the start of a process, and the text of a draft, of which its own checker tells."""


class Body(BaseModel):
    first: int
    last: int

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise Mistake(f"last phải từ {self.first} trở lên", f"last must be {self.first} or more")
        return self


@pytest.mark.parametrize(
    ("language", "said"),
    [("vi", "last phải từ 3 trở lên"), ("en", "last must be 3 or more"), ("", "last phải từ 3 trở lên")],
)
async def test_a_mistake_is_told_in_the_language_asked_for_and_nothing_is_put_before_it(
    language: str, said: str
) -> None:
    app = FastAPI()
    errors.install(app)

    @app.post("/")
    def take(body: Body) -> None: ...

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.post("/", json={"first": 3, "last": 1}, headers={"Accept-Language": language})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "body", "message": said, "code": "value_error"}]


def _in_one_language(path: Path) -> Iterator[str]:
    """Where a validator of a module raises what has one language only."""
    tree = ast.parse(path.read_text())
    validators = {
        argument.id
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id.endswith("Validator")
        for argument in call.args
        if isinstance(argument, ast.Name)
    }
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and (
            function.name in validators or any("validator" in ast.unparse(one) for one in function.decorator_list)
        ):
            for line in ast.walk(function):
                if isinstance(line, ast.Raise) and line.exc is not None and "ValueError(" in ast.unparse(line.exc):
                    yield f"{path.relative_to(SERVICES)}:{line.lineno}"


def test_validators_of_requests_speak_both_languages() -> None:
    modules = [path for path in SERVICES.rglob("*.py") if not str(path).endswith(NOT_OF_REQUESTS)]
    assert [place for path in modules for place in _in_one_language(path)] == []
