"""Log lines of all processes of the stack, whatever their format, as text to read."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

# 2026-11-21 07:30:00.123 UTC (PostgreSQL), 2026/11/21 14:30:00.123456 (NATS, after its process id), 2026-11-21
# 14:30:00,123 (Python). Without a zone it is local time.
LEADING_TIME = re.compile(
    r"^(?:\[\d+\] )?(?P<date>\d{4}[-/]\d\d[-/]\d\d)[ T](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,6})\d*)?"
    r"(?P<utc> ?(?:UTC|Z)\b)?\s*"
)
LEADING_LEVEL = re.compile(
    r"^(?:\[\d+\] )?\[?(?P<level>INF|WRN|ERR|FTL|DBG|LOG|INFO|WARNING|ERROR|FATAL|PANIC)\b\]?:?\s*"
)

LEVELS = {
    "inf": "info",
    "log": "info",
    "wrn": "warning",
    "warn": "warning",
    "err": "error",
    "ftl": "critical",
    "fatal": "critical",
    "panic": "critical",
    "dbg": "debug",
}
STYLES = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red", "critical": "bold red"}

TIME_KEYS = ("timestamp", "ts", "time")
MESSAGE_KEYS = ("event", "msg", "message")
# Shown elsewhere on the line, or the same on every line of a file.
HIDDEN_KEYS = {*TIME_KEYS, *MESSAGE_KEYS, "level", "service", "logger"}
LONG_KEYS = ("exception", "stack", "stacktrace")


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One entry of a log; a traceback below it belongs to it."""

    at: datetime | None
    """None if the line does not say; it then belongs to the line before."""
    level: str
    message: str
    details: dict[str, Any]

    def render(self, name: str, *, width: int, style: str) -> Text:
        """Return it as text for a terminal.

        Parameters:
            name: of the process, shown in a column.
            width: of that column.
            style: of that column.
        """
        time = self.at.astimezone().strftime("%H:%M:%S.%f")[:-3] if self.at else " " * 12
        text = Text.assemble((time, "dim"), " ", (name.ljust(width), style), " ")
        if self.level:
            text.append(f"{self.level:<8} ", STYLES.get(self.level, ""))
        text.append(self.message)
        for key, value in self.details.items():
            if key not in LONG_KEYS:
                text.append(f" {key}=", "dim")
                text.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), "cyan")
        for key in LONG_KEYS:
            if key in self.details:
                text.append(f"\n{self.details[key]}", "dim")
        return text


def parse(line: str) -> LogLine:
    """Read a line: JSON of our processes and of Temporal, or the text of other programs."""
    if line.startswith("{"):
        try:
            return _parse_json(json.loads(line))
        except ValueError:
            pass
    return _parse_text(line)


def _parse_json(entry: dict[str, Any]) -> LogLine:
    at = next((datetime.fromisoformat(str(entry[key])) for key in TIME_KEYS if key in entry), None)
    level = str(entry.get("level", "")).lower()
    return LogLine(
        at=at if at is None or at.tzinfo else at.replace(tzinfo=UTC),
        level=LEVELS.get(level, level),
        message=next((str(entry[key]) for key in MESSAGE_KEYS if key in entry), ""),
        details={key: value for key, value in entry.items() if key not in HIDDEN_KEYS and value not in ("", None)},
    )


def _parse_text(line: str) -> LogLine:
    found = LEADING_TIME.match(line)
    if found is None:
        return LogLine(at=None, level="", message=line, details={})
    at = datetime.fromisoformat(
        f"{found['date'].replace('/', '-')}T{found['time']}.{(found['fraction'] or '0').ljust(6, '0')}"
    )
    rest = line[found.end() :]
    level = LEADING_LEVEL.match(rest)
    name = level["level"].lower() if level else ""
    return LogLine(
        at=at.replace(tzinfo=UTC) if found["utc"] else at.astimezone(),
        level=LEVELS.get(name, name),
        message=rest[level.end() :] if level else rest,
        details={},
    )
