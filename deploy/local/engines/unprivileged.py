"""A place for PostgreSQL when root starts it: the server refuses to run as root, so it runs as `nobody`.

`nobody` must be able to enter the directories of the programs and of the data. A checkout under /root or a temporary
directory with mode 0700 is closed to it; then programs and data live under one root-owned directory outside, and the
data directory that was asked for becomes a link to its place there.
"""

import os
import pwd
import shutil
import stat
import tempfile
import uuid
from pathlib import Path

from deploy.local.process import Account

# Where programs keep their state on a machine (Filesystem Hierarchy Standard 5.8); only root writes there.
SHELTER = Path("/var/lib/chot")

# A stranger may pass through but not list.
PASSABLE = 0o711


def nobody() -> Account:
    """Return the account without rights."""
    entry = pwd.getpwnam("nobody")
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def open_to_others(path: Path) -> bool:
    """Tell whether a stranger may enter every directory above the path."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def usable_programs(*, installed: Path, libraries: Path, version: str) -> Path:
    """Return a directory with PostgreSQL's programs that `nobody` can use: the installed one, or a copy of it.

    Parameters:
        installed: directory with bin, lib and share.
        libraries: directory of shared libraries, which the programs look for at ../../../<its name>.
        version: of the wheel; each version has its own copy.
    """
    server = installed / "bin" / "postgres"
    usable = stat.S_IROTH | stat.S_IXOTH
    if open_to_others(server) and server.stat().st_mode & usable == usable:
        return installed
    home = SHELTER / f"postgres-{version}"
    inside = Path(installed.parent.name) / installed.name
    if not home.exists():
        _make_passable(SHELTER)
        # Copied aside and renamed: nobody ever sees half a copy, and of two copiers one wins.
        with tempfile.TemporaryDirectory(dir=SHELTER, prefix="copying-") as aside:
            copy = Path(aside) / "copy"
            shutil.copytree(installed, copy / inside, symlinks=True)
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
            for path in [copy, *copy.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
            try:
                copy.rename(home)
            except OSError:
                if not (home / inside).exists():
                    raise
    return home / inside


def passable_directory(wanted: Path, *, throw_away: bool) -> Path:
    """Return a directory that `nobody` may pass through, made if missing: the one wanted, or a place in the shelter.

    In the second case `wanted` becomes a link to that place.

    Parameters:
        throw_away: the place may be deleted once the link is gone, because whoever made it was killed before it could
            tidy up. Data that is to be kept is never deleted so: its link may merely have been moved.

    Raises:
        FileExistsError: `wanted` is a directory already, and `nobody` cannot reach it.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if wanted.is_symlink():
        place = wanted.readlink()
    elif open_to_others(wanted):
        place = wanted
    else:
        if wanted.exists():
            raise FileExistsError(
                f"{wanted} cannot be reached by the user nobody, as PostgreSQL must when root starts it"
            )
        _forget_abandoned_places()
        place = SHELTER / "data" / uuid.uuid4().hex
        _make_passable(place.parent)
        # The link comes first: a place without one counts as abandoned.
        wanted.symlink_to(place)
        if throw_away:
            _origin_file(place).write_bytes(os.fsencode(wanted))
    _make_passable(place)
    return place


def delete_directory(wanted: Path) -> None:
    """Delete a directory that `passable_directory` made, wherever it is."""
    if wanted.is_symlink():
        place = wanted.readlink()
        if place.exists():
            shutil.rmtree(place)
        wanted.unlink()
        _origin_file(place).unlink(missing_ok=True)
    elif wanted.exists():
        shutil.rmtree(wanted)


def _forget_abandoned_places() -> None:
    for origin in (SHELTER / "data").glob("*.origin"):
        place = origin.with_suffix("")
        link = Path(os.fsdecode(origin.read_bytes()))
        if not (link.is_symlink() and link.readlink() == place):
            # Another process may be deleting the same place.
            shutil.rmtree(place, ignore_errors=True)
            origin.unlink(missing_ok=True)


def _make_passable(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(directory.stat().st_mode | PASSABLE)


def _origin_file(place: Path) -> Path:
    return place.with_suffix(".origin")
