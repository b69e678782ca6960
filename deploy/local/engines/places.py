"""Where PostgreSQL's data lie: in the directory that was asked for, or elsewhere with a link from there.

Elsewhere if they are to be thrown away and there is a file system in memory: ext4 looks through all the files deleted
in the last minutes before it makes a new one, so that copying a database (500 files) takes 0.5 s in the middle of a
test run and 0.03 s in memory. And if `nobody` is to use them but cannot enter the directory, as below a home or
temporary directory with mode 0700.
"""

import os
import shutil
import uuid
from pathlib import Path

import psutil

from deploy.local.engines.unprivileged import SHELTER, make_passable, open_to_others

# The file system in memory that every Linux has; containers often give it a mere 64 MB.
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 4 * 1024**3

# A process's start is computed from the machine's clock, which may be set meanwhile. Seconds.
CLOCK_DRIFT = 2.0


def make_place(wanted: Path, *, throw_away: bool, for_nobody: bool) -> Path:
    """Return the directory to use for `wanted`, made if missing; if it is another one, `wanted` becomes a link to it.

    Parameters:
        throw_away: what it holds is worthless once this process has ended, and is deleted at the latest when another
            one makes a place.
        for_nobody: `nobody` must be able to pass through it.

    Raises:
        FileExistsError: `wanted` is a directory already, and `nobody` cannot reach it.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if wanted.is_symlink():
        place = wanted.readlink()
    elif wanted.exists() or not (home := _home_elsewhere(wanted, throw_away=throw_away, for_nobody=for_nobody)):
        if for_nobody and not open_to_others(wanted):
            raise FileExistsError(
                f"{wanted} cannot be reached by the user nobody, as PostgreSQL must if root starts it"
            )
        place = wanted
    else:
        _delete_abandoned(home)
        place = home / uuid.uuid4().hex
        if throw_away:
            _owner_file(place).write_text(f"{os.getpid()} {psutil.Process().create_time()}")
        wanted.symlink_to(place)
    make_passable(place)
    return place


def delete_place(wanted: Path) -> None:
    """Delete what `make_place` made for a directory."""
    if wanted.is_symlink():
        place = wanted.readlink()
        if place.exists():
            shutil.rmtree(place)
        wanted.unlink()
        _owner_file(place).unlink(missing_ok=True)
    elif wanted.exists():
        shutil.rmtree(wanted)


def _home_elsewhere(wanted: Path, *, throw_away: bool, for_nobody: bool) -> Path | None:
    if throw_away and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED:
        home = MEMORY / f"chot-{os.geteuid()}"
        home.mkdir(exist_ok=True)
        # Everybody may write to the file system in memory; somebody else could have made something there first.
        if not home.is_symlink() and home.stat().st_uid == os.geteuid():
            make_passable(home)
            return home
    if for_nobody and not open_to_others(wanted):
        home = SHELTER / "data"
        make_passable(SHELTER)
        make_passable(home)
        return home
    return None


def _delete_abandoned(home: Path) -> None:
    for owner in home.glob("*.owner"):
        if not _owner_lives(owner):
            # Another process may be deleting the same place.
            shutil.rmtree(owner.with_suffix(""), ignore_errors=True)
            owner.unlink(missing_ok=True)


def _owner_lives(owner: Path) -> bool:
    try:
        pid, created = owner.read_text().split()
        return abs(psutil.Process(int(pid)).create_time() - float(created)) < CLOCK_DRIFT
    except ValueError:
        # It is being written.
        return True
    except (FileNotFoundError, psutil.NoSuchProcess):
        return False


def _owner_file(place: Path) -> Path:
    return place.with_suffix(".owner")
