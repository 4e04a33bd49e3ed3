"""LEDGER_HOME: the folder of data, logs and passwords, open to its owner alone."""

import os
from pathlib import Path

from ledger_pipelines.settings.problems import SettingsError

_PRIVATE = 0o700
#: The embedded server runs as an OS user of its own where root starts it; that user's group may pass through.
_PASS_THROUGH = 0o010


def make_home(home: Path) -> None:
    """Create LEDGER_HOME if it is missing, and take the rights of others from it.

    Raises:
        SettingsError: It cannot be created or written to; the message says why.
    """
    try:
        home.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        found = home.stat()
        is_opened = os.geteuid() == 0 and found.st_gid != os.getegid()  # see let_group_pass
        mode = _PRIVATE | (found.st_mode & _PASS_THROUGH if is_opened else 0)
        if found.st_uid == os.geteuid() and found.st_mode & 0o777 != mode:
            home.chmod(mode)
        (home / "up.lock").touch()  # a read-only file system shows when something is written
    except OSError as error:
        raise SettingsError(
            f"LEDGER_HOME={home} cannot be used: {error.strerror}. Set it to a folder that this user may write to."
        ) from error


def let_group_pass(home: Path, group: int) -> None:
    """Let a group pass through LEDGER_HOME, without the right to read or list it, if root owns it."""
    if home.stat().st_uid == os.geteuid() == 0:
        os.chown(home, -1, group)
        home.chmod(_PRIVATE | _PASS_THROUGH)
