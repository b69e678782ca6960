"""A recording: JSON Lines, one exchange a line.

    {"at": "2026-11-05T02:30:00.123Z", "method": "POST", "path": "/", "query": "", "content_type": "application/json",
     "body": "…", "status": 200, "answer_type": "application/json", "answer": "…"}

Bodies are text; what is not UTF-8 is base64 in `body_base64` and `answer_base64`. Of the headers only the content types are
kept: the others hold tokens and say nothing that the bodies do not.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self


class Unreadable(ValueError):
    """A line that is not an exchange; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer."""

    at: datetime
    method: str
    path: str
    query: str
    content_type: str
    body: bytes
    status: int
    answer_type: str
    answer: bytes

    def line(self) -> str:
        """One line, without its end."""
        fields = {
            "at": self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "content_type": self.content_type,
            **_content("body", self.body),
            "status": self.status,
            "answer_type": self.answer_type,
            **_content("answer", self.answer),
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of_line(cls, line: str) -> Self:
        """Raises ValueError."""
        fields: dict[str, Any] = json.loads(line)
        try:
            return cls(
                at=datetime.fromisoformat(fields["at"]),
                method=fields["method"],
                path=fields["path"],
                query=fields["query"],
                content_type=fields["content_type"],
                body=_bytes(fields, "body"),
                status=int(fields["status"]),
                answer_type=fields["answer_type"],
                answer=_bytes(fields, "answer"),
            )
        except (KeyError, TypeError, binascii.Error) as error:
            raise ValueError(f"{type(error).__name__} {error}") from None


def read(path: Path) -> Iterator[Exchange]:
    """The exchanges of a file, in its order. Raises Unreadable."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield Exchange.of_line(line)
            except ValueError as error:
                raise Unreadable(f"{path}:{number} is not a recorded exchange: {error}") from None


def write(path: Path, exchanges: Iterable[Exchange]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for exchange in exchanges:
            lines.write(exchange.line() + "\n")


def _content(name: str, content: bytes) -> dict[str, str]:
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(content).decode()}


def _bytes(fields: dict[str, Any], name: str) -> bytes:
    if name in fields:
        return str(fields[name]).encode()
    return base64.b64decode(fields[f"{name}_base64"], validate=True)
