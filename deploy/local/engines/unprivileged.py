"""Running PostgreSQL when root starts it: the server refuses to run as root, so it runs as `nobody`.

`nobody` must be able to enter the directory of the programs. In a checkout under /root, or one made with umask 077, it
is closed; then the programs are copied to where it is open.
"""

import os
import pwd
import shutil
import stat
import tempfile
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


def make_passable(directory: Path) -> None:
    """Make a directory, if it is missing, and let strangers pass through it."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(directory.stat().st_mode | PASSABLE)


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
        make_passable(SHELTER)
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
