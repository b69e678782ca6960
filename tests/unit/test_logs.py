"""`chot logs` shows what every process wrote, in one readable form."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import build
from deploy.commands.logs import LogView
from deploy.log_lines import parse


def written(directory: Path, name: str, *lines: str) -> Path:
    path = directory / ".chot" / "logs" / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return path


def entry(time: str, event: str, **facts: object) -> str:
    return json.dumps({"event": event, "level": "info", "timestamp": f"2026-11-21T{time}Z", **facts})


def run(directory: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.chdir(directory)
    result = CliRunner().invoke(build(), ["logs", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        (entry("07:30:00.123", "lead accepted", lead_id="1"), "info", "lead accepted"),
        ('{"level":"warn","ts":"2026-11-21T07:30:00.123+0000","msg":"slow"}', "warning", "slow"),
        (
            '2026-11-21 07:30:00.123 UTC [42] ERROR:  relation "x" does not exist',
            "error",
            'relation "x" does not exist',
        ),
        ("2026-11-21 07:30:00.123 UTC [42] LOG:  ready", "info", "ready"),
    ],
)
def test_time_level_and_message_are_found_in_every_format(line: str, level: str, message: str) -> None:
    parsed = parse(line)
    assert parsed.at == datetime(2026, 11, 21, 7, 30, 0, 123_000, tzinfo=UTC)
    assert (parsed.level, parsed.message) == (level, message)


def test_a_time_without_zone_is_local_time() -> None:
    local = datetime(2026, 11, 21, 7, 30, 0, 123_456).astimezone()
    parsed = parse("[42] 2026/11/21 07:30:00.123456 [WRN] Filestore is slow")
    assert (parsed.at, parsed.level, parsed.message) == (local, "warning", "Filestore is slow")
    assert parse("2026-11-21 07:30:00,123456 INFO uvicorn Started").at == local


@pytest.mark.parametrize(
    "line", ['{"broken": ', '{"timestamp": "yesterday", "event": "x"}', "Traceback (most recent call last):"]
)
def test_a_line_that_cannot_be_read_is_shown_as_it_is(line: str) -> None:
    parsed = parse(line)
    assert (parsed.at, parsed.message) == (None, line)


def test_lines_of_all_processes_are_merged_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "orders", entry("07:00:02", "second", order_id="0190"), entry("07:00:04", "fourth"))
    written(tmp_path, "leads", entry("07:00:01", "first"), entry("07:00:03", "third"))
    status, output = run(tmp_path, monkeypatch)
    assert status == 0
    assert [line.split()[1:4] for line in output.splitlines()] == [
        ["leads", "info", "first"],
        ["orders", "info", "second"],
        ["leads", "info", "third"],
        ["orders", "info", "fourth"],
    ]
    assert "order_id=0190" in output


def test_a_traceback_stays_below_the_line_it_belongs_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "orders", "2026-11-21 07:00:01,000 ERROR root failed", "Traceback", "  File x", "KeyError: 1")
    written(tmp_path, "leads", "2026-11-21 07:00:02,000 INFO root later")
    _, output = run(tmp_path, monkeypatch)
    assert [line.split()[-1] for line in output.splitlines()] == ["failed", "Traceback", "x", "1", "later"]


def test_one_process_is_shown_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "orders", entry("07:00:00", "mine"))
    written(tmp_path, "leads", entry("07:00:00", "other"))
    _, output = run(tmp_path, monkeypatch, "orders")
    assert "mine" in output
    assert "other" not in output


def test_an_unknown_process_is_answered_with_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "orders", entry("07:00:00", "mine"))
    status, output = run(tmp_path, monkeypatch, "order")
    assert status == 1
    assert "There are: orders." in output


def test_following_shows_new_lines_once_they_are_complete_and_new_files(tmp_path: Path) -> None:
    log = written(tmp_path, "orders", entry("07:00:00", "old"))
    view = LogView(log.parent, None)
    assert [line.message for _, line in view.new_lines()] == ["old"]
    with log.open("a") as file:
        file.write(entry("07:00:01", "new"))
        file.flush()
        assert view.new_lines() == []
        file.write("\n")
    written(tmp_path, "leads", entry("07:00:02", "from a new file"))
    assert [(name, line.message) for name, line in view.new_lines()] == [
        ("orders", "new"),
        ("leads", "from a new file"),
    ]


def test_a_log_that_was_put_aside_is_followed_from_its_new_beginning(tmp_path: Path) -> None:
    log = written(tmp_path, "orders", entry("07:00:00", "old"), entry("07:00:01", "older"))
    view = LogView(log.parent, None)
    view.new_lines()
    log.rename(log.with_suffix(".log.1"))
    written(tmp_path, "orders", entry("07:00:02", "new"))
    assert [line.message for _, line in view.new_lines()] == ["new"]


def test_the_command_starts_without_loading_what_only_a_stack_needs() -> None:
    heavy = ["asyncpg", "fastapi", "httpx", "nats", "sqlalchemy", "temporalio", "cryptography", "psutil"]
    program = f"import sys; from deploy.cli import build; build(); print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
