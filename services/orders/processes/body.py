"""The body of a process as it is stored, sent and edited: JSON that says only what was written, in its order."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import orjson
from pydantic import Field

from services.orders.care.process import Answer, CareProcess, Data, Step, Text
from services.orders.processes.errors import StepNotFound


class EditedProcess(CareProcess):
    """A process as an editor sends it. Key and version are not the editor's to give: what is sent of them is ignored."""

    key: str = ""
    version: int = Field(default=1, ge=1)


class StepEdit(Data):
    """One step with everything about it.

    `results`: all results that this step knows, and where each leads; left out, they stay as they are. `reasons`: why, by
    path inside the step ("" the step itself, `grace`, `due.after`); left out, they stay.
    """

    step: Step
    results: dict[str, Answer] | None = None
    reasons: dict[str, Text] | None = None


def dump(process: CareProcess, *, key: str, version: int) -> str:
    """What is stored: without defaults that nobody wrote, because each number that is written needs its reason."""
    body = process.model_dump(mode="json", exclude_unset=True, exclude={"key", "version"})
    for calendar in body.get("calendars", {}).values():
        if "closed" in calendar:
            calendar["closed"] = sorted(calendar["closed"])
    body.pop("holidays", None)  # kept by their own list, and closed when the process is read
    return orjson.dumps({"key": key, "version": version, **body}).decode()


def with_step(body: Mapping[str, Any], name: str, edit: StepEdit) -> dict[str, Any]:
    """The body with one step added or replaced."""
    edited = {**body, "steps": {**body["steps"], name: edit.step.model_dump(mode="json", exclude_unset=True)}}
    if edit.results is not None:
        results = {result: goes.model_dump(exclude_none=True) for result, goes in edit.results.items()}
        edited["rules"] = [*_rules_without(body, name, drop=True), {"at": [name], "results": results}]
    if edit.reasons is not None:
        path = f"steps.{name}"
        reasons = {(f"{path}.{at}" if at else path): text.model_dump() for at, text in edit.reasons.items()}
        edited["reasons"] = {**_reasons_without(body, name), **reasons}
    return edited


def without_step(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The body without a step, its results and its reasons. What leads to it stays, for the checker to name.

    Raises:
        StepNotFound: there is no such step.
    """
    if name not in body["steps"]:
        raise StepNotFound(step=name)
    return {
        **body,
        "steps": {key: step for key, step in body["steps"].items() if key != name},
        "rules": _rules_without(body, name, drop=False),
        "reasons": _reasons_without(body, name),
    }


def _rules_without(body: Mapping[str, Any], name: str, *, drop: bool) -> list[dict[str, Any]]:
    """The rules with this step taken out.

    Args:
        drop: also out of patterns, which are then written out step by step.
    """
    rules = []
    for rule in body["rules"]:
        at = [pattern for pattern in rule["at"] if pattern != name]
        if drop and any(fnmatchcase(name, pattern) for pattern in at):
            at = [step for step in body["steps"] if step != name and any(fnmatchcase(step, each) for each in at)]
        if at:
            rules.append({**rule, "at": at})
    return rules


def _reasons_without(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    path = f"steps.{name}"
    return {at: text for at, text in body["reasons"].items() if at != path and not at.startswith(f"{path}.")}
