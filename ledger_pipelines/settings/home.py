"""LEDGER_HOME: the folder of data, logs and passwords, accessible to its owner only."""

import errno
import os
import stat
import tempfile
from pathlib import Path

from ledger_pipelines.settings.problems import SettingsError

_PRIVATE_MODE = 0o700
#: If root starts the embedded server, it runs as a separate OS user, whose group may traverse the folder.
_GROUP_TRAVERSE_MODE = 0o710
_DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)
#: Names of all files in LEDGER_HOME. A folder with any other file is also used for something else and keeps its mode.
_KNOWN_NAMES = {
    "compute-logs", "dagster", "logs", "lost+found", "postgres", "postgres.lock", "postgres.new", "postgres.password",
    "storage", "up.lock",
}  # fmt: skip


def ensure_home(home: Path) -> None:
    """Create LEDGER_HOME if it is missing, and revoke the access of other users.

    Raises:
        SettingsError: The folder cannot be created or written to; the message gives the reason.
    """
    try:
        home.mkdir(mode=_PRIVATE_MODE, parents=True, exist_ok=True)
        if _is_dedicated(home) and stat.S_IMODE(home.stat().st_mode) != _GROUP_TRAVERSE_MODE:
            home.chmod(_PRIVATE_MODE)
        with tempfile.TemporaryFile(dir=home):  # the only reliable test of write access
            pass
    except OSError as error:
        advice = (
            "Free disk space" if error.errno in _DISK_FULL_ERRORS else "Set it to a folder that this user may write to"
        )
        raise SettingsError(f"LEDGER_HOME={home} cannot be used: {error.strerror}. {advice}.") from error


def allow_group_traversal(home: Path, group: int) -> None:
    """Let a group traverse LEDGER_HOME, without the right to read or list it, if root owns the folder."""
    if os.geteuid() == 0 and _is_dedicated(home):
        os.chown(home, -1, group)
        home.chmod(_GROUP_TRAVERSE_MODE)


def _is_dedicated(home: Path) -> bool:
    """Return whether this user owns the folder and it is used as LEDGER_HOME only."""
    found = home.stat()
    special = found.st_mode & (stat.S_ISVTX | stat.S_ISGID | stat.S_ISUID)
    return found.st_uid == os.geteuid() and not special and {entry.name for entry in home.iterdir()} <= _KNOWN_NAMES
