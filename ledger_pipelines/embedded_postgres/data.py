"""The data folder of the embedded PostgreSQL: creation, configuration and password."""

import hashlib
import os
import re
import secrets
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from ledger_pipelines.embedded_postgres import tuning
from ledger_pipelines.embedded_postgres.programs import MAJOR_VERSION, EmbeddedServerError, OsAccount

ROLE = "ledger"
"""The role that owns everything in the server."""

_DISK_FULL = re.compile("No space left on device|Check free disk space")
_REPLAY_SECONDS = 300  # after a crash, gigabytes of WAL may have to be replayed first


def create_private_folder(folder: Path, account: OsAccount) -> None:
    """Create a private folder of the server's OS user, and its parent folders."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    account.take_ownership(folder)


def initialise(data: Path, programs: Path, account: OsAccount, *, sync: bool) -> None:
    """Initialise an empty data folder; initdb fills another folder first, so an interrupted one never looks complete.

    initdb runs with trust authentication: no server listens yet, and `configure` replaces it.

    Raises:
        EmbeddedServerError: the folder cannot be filled, for example because the disk is full.
    """
    temporary = data.with_name(f"{data.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    create_private_folder(temporary, account)
    # Months are text: the collation must order them bytewise.
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    options = [*locale, "--auth=trust", "--data-checksums", "--no-instructions", f"--username={ROLE}"]
    answer = account.run(programs / "initdb", *options, *([] if sync else ["--no-sync"]), "-D", temporary)
    if answer.returncode != 0:
        shutil.rmtree(temporary, ignore_errors=True)
        if _DISK_FULL.search(answer.stderr):
            raise EmbeddedServerError(
                f"The embedded server's data cannot be created in {data.parent}: the disk is full. Free space on it, "
                "or set LEDGER_HOME to a folder on another disk."
            )
        raise EmbeddedServerError(f"The embedded server's data cannot be created: {answer.stderr.strip()}")
    main = temporary / "postgresql.conf"
    _write(main, f"{main.read_text()}\ninclude 'ledger.conf'\n", account)
    data.rmdir()
    temporary.rename(data)


def check_version(data: Path) -> None:
    """Raise for data of another major version, which the server cannot read.

    Raises:
        EmbeddedServerError: the data are of another major version.
    """
    found = (data / "PG_VERSION").read_text().strip()
    if found != str(MAJOR_VERSION):
        raise EmbeddedServerError(
            f"The data in {data} were made by PostgreSQL {found}, but this version of the package contains "
            f"PostgreSQL {MAJOR_VERSION}. Move that folder away and start again: the tables are then loaded from their "
            "sources. To keep the data, dump them with pg_dumpall of the package version that made them, and restore "
            "the dump afterwards."
        )


def configure(
    data: Path, account: OsAccount, *, port: int, log_folder: Path, cluster_name: str, fast_and_unsafe: bool
) -> None:
    """Write the configuration at every start: the port, the folders or the machine may have changed."""
    text = tuning.configuration(
        port=port,
        log_folder=log_folder,
        cluster_name=cluster_name,
        memory=tuning.memory_bytes(),
        fast_and_unsafe=fast_and_unsafe,
    )
    _write(data / "ledger.conf", text, account)
    _write(data / "pg_hba.conf", tuning.host_based_access(), account)


def set_password(data: Path, password: str, programs: Path, account: OsAccount) -> None:
    """Set the role's password unless it is already set; no server may be running on the data.

    Raises:
        EmbeddedServerError: the data cannot be used.
    """
    # The default 4,096 rounds slow down password guessing. This password is random, and Dagster's daemon logs in for
    # each of its two dozen queries a second: the rounds took a quarter of a core.
    statements = f"SET scram_iterations = 1\nALTER ROLE {ROLE} PASSWORD '{password}'\n"
    digest = hashlib.sha256(statements.encode()).hexdigest()
    digest_file = data / "ledger.password.sha256"
    if digest_file.exists() and digest_file.read_text() == digest:
        return
    answer = account.run(
        programs / "postgres", "--single", "-D", data, "postgres", stdin=statements, timeout=_REPLAY_SECONDS
    )
    if answer.returncode != 0 or "ERROR:" in answer.stderr:
        errors = [line for line in answer.stderr.splitlines() if "ERROR:" in line or "FATAL:" in line]
        raise EmbeddedServerError(f"The embedded server's data in {data} cannot be used: {'; '.join(errors)}")
    _write(digest_file, digest, account)


def read_or_create_password(file: Path) -> str:
    """Return the password in a file; a missing file is created with a random password, readable by its owner only."""
    with suppress(FileNotFoundError):
        return file.read_text().strip()
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_urlsafe(32))
    with suppress(FileExistsError):  # another process created the file first: its password is used
        os.link(name, file)
    Path(name).unlink()
    return file.read_text().strip()


def _write(file: Path, text: str, account: OsAccount) -> None:
    """Write a file of the server's OS user atomically.

    Replaces an existing file instead of writing into it: root must not follow a link that the OS user created.
    """
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w") as stream:
        account.take_ownership(handle)
        stream.write(text)
    Path(name).replace(file)
