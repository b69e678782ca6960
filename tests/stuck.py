"""A test that waits for ever is ended and named, with where every task of its loop waits, instead of holding the suite.

pytest ends the process (`faulthandler_timeout`), pytest-xdist then names the test and ends the suite;
what pytest prints are threads, and a loop that waits is one line of them. This prints the loop's tasks before.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

BEFORE_THE_END = 0.9
"""Of the time after which pytest ends the process: when the tasks are printed."""


class Stuck:
    """Prints the tasks of the session's loop when a test has taken too long.

    Args:
        after: seconds.
    """

    def __init__(self, *, after: float) -> None:
        self._after = after
        self._to = os.dup(2)  # pytest takes the standard streams for itself while tests run
        self.loop: asyncio.AbstractEventLoop | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        timer = threading.Timer(self._after, self._tell, args=(item.nodeid,))
        timer.daemon = True
        timer.start()
        try:
            return (yield)
        finally:
            timer.cancel()

    def _tell(self, test: str) -> None:
        lines = [f"{test} has not ended after {self._after:.0f} s; its tasks wait here:"]
        for task in asyncio.all_tasks(self.loop) if self.loop is not None else ():
            lines += [task.get_name(), *_where(task.get_coro())]
        os.write(self._to, "\n".join(lines).encode() + b"\n")


def _where(awaited: object) -> Iterator[str]:
    """From a task's coroutine to what it waits for, a line each."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None:
            yield f"    {awaited!r}"
            return
        yield f"    {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


def watch(config: pytest.Config) -> Stuck | None:
    """The watch over a session, unless its time is unlimited (as for tests of full scale)."""
    limit = float(config.getini("faulthandler_timeout") or 0)
    if not limit:
        return None
    stuck = Stuck(after=limit * BEFORE_THE_END)
    config.pluginmanager.register(stuck, "stuck")
    return stuck
