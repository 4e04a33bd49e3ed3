"""LEDGER_HOME: the folder of data, logs and passwords, open to its owner alone."""

import errno
import os
import stat
import tempfile
from pathlib import Path

from ledger_pipelines.settings.problems import SettingsError

_PRIVATE = 0o700
#: The embedded server runs as an OS user of its own where root starts it; that user's group may pass through.
_PASS_THROUGH = 0o710
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: All that LEDGER_HOME holds. A folder with anything else is used for something else too, and keeps its mode.
_CONTENTS = {
    "compute-logs", "dagster", "logs", "lost+found", "postgres", "postgres.lock", "postgres.new", "postgres.password",
    "storage", "up.lock",
}  # fmt: skip


def make_home(home: Path) -> None:
    """Create LEDGER_HOME if it is missing, and take the rights of others from it.

    Raises:
        SettingsError: It cannot be created or written to; the message says why.
    """
    try:
        home.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        if _is_ours(home) and stat.S_IMODE(home.stat().st_mode) != _PASS_THROUGH:
            home.chmod(_PRIVATE)
        with tempfile.TemporaryFile(dir=home):  # the only sure test
            pass
    except OSError as error:
        advice = "Make room" if error.errno in _FULL else "Set it to a folder that this user may write to"
        raise SettingsError(f"LEDGER_HOME={home} cannot be used: {error.strerror}. {advice}.") from error


def let_group_pass(home: Path, group: int) -> None:
    """Let a group pass through LEDGER_HOME, without the right to read or list it, if root owns it."""
    if os.geteuid() == 0 and _is_ours(home):
        os.chown(home, -1, group)
        home.chmod(_PASS_THROUGH)


def _is_ours(home: Path) -> bool:
    """Return whether this user owns a folder that is LEDGER_HOME and nothing else."""
    found = home.stat()
    special = found.st_mode & (stat.S_ISVTX | stat.S_ISGID | stat.S_ISUID)
    return found.st_uid == os.geteuid() and not special and {entry.name for entry in home.iterdir()} <= _CONTENTS
