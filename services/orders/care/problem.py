"""What the checker finds."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.orders.care.process import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a process is refused, or (a warning) what its editor should look at once more.

    Args:
        code: stable kind of problem.
        where: place in the data, e.g. `steps.callback.then`.
        path: steps that lead there from the start, the offending one last (empty if no step is concerned).
        result: the call result at the last step of the path that goes wrong, if it is one.
        text: what is wrong and what to do.
        warning: it may be published nevertheless.
    """

    code: str
    where: str
    path: tuple[str, ...] = field(default=())
    result: str | None = None
    text: Text
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.text.en}" + (f" [{' → '.join(self.path)}]" if self.path else "")


def problem(
    code: str, where: str, path: tuple[str, ...] = (), *, vi: str, en: str, result: str | None = None
) -> Problem:
    return Problem(code=code, where=where, path=path, result=result, text=Text(vi=vi, en=en))


def warning(code: str, where: str, path: tuple[str, ...] = (), *, vi: str, en: str) -> Problem:
    return Problem(code=code, where=where, path=path, text=Text(vi=vi, en=en), warning=True)
