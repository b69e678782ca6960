"""`chot logs`: what the processes of the local stack wrote."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.log_lines import LogLine, parse
from deploy.terminal import chot_directory, console, fail

# How many lines are shown of what was written before, and how much of each file is read for them (bytes).
SHOWN_LINES = 100
TAIL_BYTES = 256_000

# How often files are looked at for new lines, seconds.
FOLLOW_EVERY = 0.2

NAME_STYLES = ("cyan", "magenta", "blue", "yellow", "green", "bright_cyan", "bright_magenta", "bright_blue")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(logs)


def logs(
    name: Annotated[str | None, typer.Argument(help="One process, such as orders or postgres; all without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
) -> None:
    """Show the logs of the stack's processes, merged by time."""
    directory = chot_directory() / "logs"
    available = [path.stem for path in sorted(directory.glob("*.log"))]
    if not available:
        fail(f"There are no logs in {directory}. Start the stack with `make up`.")
    if name is not None and name not in available:
        fail(f"No process called {name} has a log. There are: {', '.join(available)}.")
    view = LogView(directory, name)
    view.show(view.tail())
    try:
        while follow:
            time.sleep(FOLLOW_EVERY)
            view.show(view.new_lines())
    except KeyboardInterrupt:
        return


class LogView:
    """The logs of a directory, or the log of one process there."""

    def __init__(self, directory: Path, name: str | None) -> None:
        self._directory = directory
        self._pattern = "*.log" if name is None else f"{name}.log"
        self._files: dict[Path, LogFile] = {}

    def tail(self) -> list[tuple[str, LogLine]]:
        """Return the last lines written so far."""
        return self.new_lines()[-SHOWN_LINES:]

    def new_lines(self) -> list[tuple[str, LogLine]]:
        """Return the lines written since the last call, in order of time, each with the name of its process."""
        entries: list[tuple[datetime, str, LogLine]] = []
        for path in sorted(self._directory.glob(self._pattern)):
            file = self._files.setdefault(path, LogFile(path))
            entries += [(at, path.stem, line) for at, line in file.new_lines()]
        entries.sort(key=lambda entry: entry[0])
        return [(name, line) for _, name, line in entries]

    def show(self, lines: list[tuple[str, LogLine]]) -> None:
        """Print lines."""
        names = [path.stem for path in self._files]
        width = max(map(len, names), default=0)
        for name, line in lines:
            style = NAME_STYLES[names.index(name) % len(NAME_STYLES)]
            console.print(line.render(name, width=width, style=style), soft_wrap=True)


class LogFile:
    """One log, read from near its end on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = max(0, path.stat().st_size - TAIL_BYTES)
        self._skip_first = self._position > 0
        self._last = datetime.fromtimestamp(0, UTC)

    def new_lines(self) -> Iterator[tuple[datetime, LogLine]]:
        """Give the complete lines written since the last call, each with its time or that of the line before."""
        if self._path.stat().st_size < self._position:
            # It was put aside and begun anew.
            self._position = 0
        with self._path.open("rb") as file:
            file.seek(self._position)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                self._position += len(raw)
                if self._skip_first:
                    self._skip_first = False
                    continue
                line = parse(raw.decode(errors="replace").rstrip())
                self._last = line.at or self._last
                yield self._last, line
