"""The examples of a page of docs/, word for word: its commands typed one by one into a shell, against services on ports."""

from __future__ import annotations

import asyncio
import re
import shlex
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import typer
import uvicorn
from fastapi import FastAPI

from deploy.cli import build as command_line
from deploy.local.ports import LOOPBACK

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
BEFORE: Final = """
curl() { command curl --max-time 30 -w '%{stderr}\\n%{http_code} %{url_effective}\\n' "$@"; }
uuidgen() { cat /proc/sys/kernel/random/uuid; }
"""
"""What each page's shell knows: a curl that also says what was answered; a uuidgen, which not every machine has."""

A_COMMAND: Final = 60.0
"""Seconds for one command on the busiest machine; each request in it has half of that."""

_FENCED: Final = re.compile(r"^( *)```sh\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_INDENTED: Final = re.compile(r"(?:^ {4}\S.*\n(?: {4}.*\n)*)+", re.MULTILINE)
_SHOWN: Final = ("SELECT", "{", '"')
"""How indented text begins that is not typed into a shell: a query, an answer, a part of a body."""

Step = Callable[[], Awaitable[object]]


def blocks(text: str) -> Iterator[str]:
    """The shell blocks of a page, in order."""
    found = [(match.start(), match[2]) for match in _FENCED.finditer(text)]
    rest = _FENCED.sub(lambda match: "\n" * len(match[0]), text)
    found += [
        (match.start(), match[0]) for match in _INDENTED.finditer(rest) if not match[0].strip().startswith(_SHOWN)
    ]
    return (block for _, block in sorted(found))


def commands(page: Path) -> Iterator[str]:
    """Each command of a page with all of its lines."""
    for block in blocks(page.read_text()):
        lines: list[str] = []
        for line in block.splitlines():
            lines.append(line)
            if line.endswith("\\") or not _is_whole("\n".join(lines)):
                continue
            command = "\n".join(lines)
            lines.clear()
            if command.strip() and not command.strip().startswith("#"):
                yield command
        assert not lines, f"{page}: a command without an end: {lines}"


def _is_whole(command: str) -> bool:
    """Whether every quote and bracket of a command is closed."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return command.count("(") == command.count(")")


def port_to_serve_on() -> socket.socket:
    """A port that is ours from now on: the address is known before what answers there is made."""
    return socket.create_server((LOOPBACK, 0))


def address_of(listening: socket.socket) -> str:
    return f"http://{LOOPBACK}:{listening.getsockname()[1]}"


@asynccontextmanager
async def serving(app: FastAPI, listening: socket.socket | None = None) -> AsyncIterator[str]:
    """An application on a port, this one or another; its address."""
    listening = listening or port_to_serve_on()
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield address_of(listening)
    finally:
        server.should_exit = True
        await task


async def walk(
    page: Path,
    directory: Path,
    *,
    known: Mapping[str, str],
    before: Mapping[str, Step],
) -> None:
    """Types the commands of a page one by one; each must be answered with what is no error.

    Args:
        known: variables that the page does not set itself.
        before: what happens meanwhile, before the first command with this text.
    """
    shell = await asyncio.create_subprocess_exec(
        "bash", cwd=directory, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write((BEFORE + "".join(f"{name}={shlex.quote(value)}\n" for name, value in known.items())).encode())
    asked = 0
    left = dict(before)
    for command in commands(page):
        if command.strip().startswith("chot "):
            _is_known_to_chot(command, page)
            continue
        for words in [words for words in left if words in command]:
            await left.pop(words)()
        shell.stdin.write(f"{command}\nprintf '\\n=== %s\\n' $?\n".encode())
        printed = ""
        async with asyncio.timeout(A_COMMAND):
            while "\n=== " not in printed or not printed.endswith("\n"):
                read = await shell.stdout.read(65536)
                assert read, f"{page}: the shell ended with {command}\n{printed}"
                printed += read.decode(errors="replace")
        answers = re.findall(r"^(\d{3}) (http\S+)$", printed, flags=re.MULTILINE)
        if "curl " in command:
            assert answers, f"{page}: {command}\n{printed}"
        assert all(status < "400" for status, _ in answers), f"{page}: {command}\n{printed[-2000:]}"
        asked += len(answers)
    shell.stdin.close()
    await shell.wait()
    assert asked > 0, f"{page} has no examples"
    assert left == {}, f"{page} has no command with {sorted(left)}"


def _is_known_to_chot(command: str, page: Path) -> None:
    """`chot` works on a whole stack, which does not run here: at least there is such a command."""
    name = shlex.split(command, comments=True)[1]
    names = typer.main.get_group(command_line()).commands
    assert name in names, f"{page}: no command {name} in {sorted(names)}"
