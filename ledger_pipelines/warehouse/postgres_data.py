"""The data folder of the embedded PostgreSQL: made, configured, and its password kept."""

import hashlib
import os
import re
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from ledger_pipelines.warehouse import postgres_tuning as tuning
from ledger_pipelines.warehouse.postgres_programs import MAJOR_VERSION, Account, EmbeddedServerError

ROLE = "ledger"
"""The role that owns everything in the server."""

_DISK_FULL = re.compile("No space left on device|Check free disk space")
_REPLAY_SECONDS = 300  # after a crash, gigabytes of log may have to be replayed first


def own_folder(folder: Path, account: Account) -> None:
    """Make a private folder of the server's OS user, and the folders above it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    account.own(folder)


def initialise(data: Path, programs: Path, account: Account, *, sync: bool) -> None:
    """Fill an empty data folder; it is filled aside, so that one that was interrupted never looks finished.

    No server listens in the meantime, so that initdb may be told to trust; `configure` ends that.

    Raises:
        EmbeddedServerError: the folder cannot be filled, for example because the disk is full.
    """
    aside = data.with_name(f"{data.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    own_folder(aside, account)
    # Months are text: the collation must order them by their bytes.
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = [*locale, "--auth=trust", "--data-checksums", "--no-instructions", f"--username={ROLE}"]
    answer = account.run(programs / "initdb", *options, *([] if sync else ["--no-sync"]), "-D", aside)
    if answer.returncode != 0:
        shutil.rmtree(aside, ignore_errors=True)
        if _DISK_FULL.search(answer.stderr):
            raise EmbeddedServerError(
                f"The embedded server's data cannot be made in {data.parent}: the disk is full. Make room, or set "
                "LEDGER_HOME to a folder on another disk."
            )
        raise EmbeddedServerError(f"The embedded server's data cannot be made: {answer.stderr.strip()}")
    main = aside / "postgresql.conf"
    _write(main, f"{main.read_text()}\ninclude 'ledger.conf'\n", account)
    data.rmdir()
    aside.rename(data)


def check_version(data: Path) -> None:
    """Refuse the data of another major version, which the server could not read.

    Raises:
        EmbeddedServerError: the data are of another major version.
    """
    found = (data / "PG_VERSION").read_text().strip()
    if found != str(MAJOR_VERSION):
        raise EmbeddedServerError(
            f"The data in {data} were made by PostgreSQL {found}, but this version of the package brings "
            f"PostgreSQL {MAJOR_VERSION}. Move that folder aside and start again: the tables are filled anew "
            "from their sources. To keep what is in it, dump it with the package version that made it "
            "(pg_dumpall) and restore the dump afterwards."
        )


def configure(
    data: Path, account: Account, *, port: int, log_folder: Path, cluster_name: str, fast_and_unsafe: bool
) -> None:
    """Write the configuration anew: the port, the folders or the machine may have changed."""
    text = tuning.configuration(
        port=port,
        log_folder=log_folder,
        cluster_name=cluster_name,
        memory=tuning.memory_bytes(),
        fast_and_unsafe=fast_and_unsafe,
    )
    _write(data / "ledger.conf", text, account)
    _write(data / "pg_hba.conf", tuning.host_based_access(), account)


def set_password(data: Path, password: str, programs: Path, account: Account) -> None:
    """Make a password the role's, in data that no server runs on, unless it is already.

    Raises:
        EmbeddedServerError: the data cannot be used.
    """
    # The usual 4,096 rounds slow down whoever guesses. Ours is random, and Dagster's daemon logs in for each of its two
    # dozen queries a second: a quarter of a core went into those rounds.
    statements = f"SET scram_iterations = 1\nALTER ROLE {ROLE} PASSWORD '{password}'\n"
    digest = hashlib.sha256(statements.encode()).hexdigest()
    known = data / "ledger.password.sha256"
    if known.exists() and known.read_text() == digest:
        return
    answer = account.run(
        programs / "postgres", "--single", "-D", data, "postgres", stdin=statements, timeout=_REPLAY_SECONDS
    )
    if answer.returncode != 0 or "ERROR:" in answer.stderr:
        faults = [line for line in answer.stderr.splitlines() if "ERROR:" in line or "FATAL:" in line]
        raise EmbeddedServerError(f"The embedded server's data in {data} cannot be used: {'; '.join(faults)}")
    _write(known, digest, account)


def password_of(file: Path) -> str:
    """The password of a password file, which is made, readable by its owner only, if there is none."""
    with suppress(FileNotFoundError):
        return file.read_text().strip()
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_urlsafe(32))
    with suppress(FileExistsError):  # another process was quicker: its password counts
        os.link(name, file)
    Path(name).unlink()
    return file.read_text().strip()


def _write(file: Path, text: str, account: Account) -> None:
    """Write a file of the server's OS user, whole or not at all.

    Never through a file of that name that is there: root must not follow a link that the user laid.
    """
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w") as stream:
        account.own(handle)
        stream.write(text)
    Path(name).replace(file)
