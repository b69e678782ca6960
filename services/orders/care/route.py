"""The way to a finding, in words: step → result → step …"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.orders.care.graph import By, Link, links
from services.orders.care.problem import Problem
from services.orders.care.process import CareProcess, Text

_BY: Final[dict[By, Text]] = {
    "done": Text(vi="đã gửi", en="sent"),
    "timeout": Text(vi="quá hạn", en="time over"),
    "released": Text(vi="thả vào kho", en="released to the pool"),
    "claimed": Text(vi="có người lấy", en="claimed"),
    "came_again": Text(vi="khách để lại số lại", en="customer came again"),
}


def route(process: CareProcess, found: Problem) -> Text:
    """The path of a finding with what leads from step to step; empty where no step is concerned."""
    parts = list(_parts(process, found))
    return Text(vi=" → ".join(part.vi for part in parts), en=" → ".join(part.en for part in parts))


def _parts(process: CareProcess, found: Problem) -> Iterator[Text]:
    said: str | None = None
    for before, name in zip((None, *found.path), found.path, strict=False):
        ways = [link for link in links(process, before) if link.to == name] if before in process.steps else []
        if ways:
            way = min(ways, key=lambda link: (link.result != found.result, not link.direct))
            said = way.result
            yield _link(process, way)
        yield process.steps[name].name if name in process.steps else Text(vi=name, en=name)
    if found.result is not None and found.result != said:
        yield _result(process, found.result)


def _link(process: CareProcess, link: Link) -> Text:
    return _result(process, link.result) if link.result is not None else _BY[link.by]


def _result(process: CareProcess, result: str) -> Text:
    about = process.results.get(result)
    name = about.name if about is not None else Text(vi=result, en=result)
    return Text(vi=f"[{name.vi}]", en=f"[{name.en}]")
