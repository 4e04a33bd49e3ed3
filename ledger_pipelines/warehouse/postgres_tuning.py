"""The configuration of the embedded PostgreSQL: sized to the machine, tuned for loads of whole months."""

import os
import shutil
from pathlib import Path

_MIB = 1024**2
_GIB = 1024**3

_HOST_BASED_ACCESS = """\
# Written at every start of the server; changes are lost.
# type  database  user  address       method
host    all       all   127.0.0.1/32  scram-sha-256
"""


def memory_bytes() -> int:
    """The memory that this machine, or the container around this process, has, in bytes."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [physical]
    for file in ("memory.max", "memory/memory.limit_in_bytes"):  # control groups, version 2 and 1
        try:
            limits.append(int((Path("/sys/fs/cgroup") / file).read_text()))
        except (OSError, ValueError):  # no such version here, or "max": no limit
            continue
    return min(limits)


def host_based_access() -> str:
    """The text of `pg_hba.conf`: by loopback and password only."""
    return _HOST_BASED_ACCESS


def configuration(*, port: int, log_folder: Path, cluster_name: str, memory: int, fast_and_unsafe: bool = False) -> str:
    """The text of the configuration file.

    Args:
        port: the port on loopback.
        log_folder: where the server's log files go: one a weekday, written over after a week.
        cluster_name: what the titles of the server's processes begin with.
        memory: the machine's memory in bytes.
        fast_and_unsafe: do without what protects data against a crash of the machine (for tests).
    """
    settings: dict[str, str | int] = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "cluster_name": cluster_name,
        "max_connections": 200,
        "timezone": "UTC",
        # memory
        "shared_buffers": _megabytes(min(memory // 4, 2 * _GIB)),
        "effective_cache_size": _megabytes(memory // 2),
        "work_mem": _megabytes(min(memory // 96, 256 * _MIB)),
        "maintenance_work_mem": _megabytes(min(memory // 16, _GIB)),
        "dynamic_shared_memory_type": _dynamic_shared_memory(),
        # The minimal log lets a table that is created and filled in one transaction skip it. The price, no
        # replication and no archive, is none here: production is a server of its own.
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "wal_compression": "off",  # the package has pglz only, which costs more time than it saves in writing
        "min_wal_size": "512MB",
        "max_wal_size": "6GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        # planner: disks without heads; compiling costs more than it saves on statements of a few seconds
        "random_page_cost": "1.1",
        "jit": "off",
        # a month is replaced at a time, a small share of a large table
        "autovacuum_naptime": "30s",
        "autovacuum_vacuum_scale_factor": "0.05",
        "autovacuum_analyze_scale_factor": "0.02",
        "autovacuum_vacuum_cost_limit": 1000,
        # log
        "logging_collector": "on",
        "log_directory": str(log_folder),
        "log_filename": "postgres-%a.log",
        "log_rotation_age": "1d",
        "log_rotation_size": 0,
        "log_truncate_on_rotation": "on",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_checkpoints": "off",
    }
    if fast_and_unsafe:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    lines = (f"{name} = {_quoted(value)}\n" for name, value in settings.items())
    return "# Written at every start of the server; for changes that stay, use ALTER SYSTEM.\n" + "".join(lines)


def _dynamic_shared_memory() -> str:
    """Where parallel workers share memory: containers often come with a /dev/shm too small for it."""
    try:
        roomy = shutil.disk_usage("/dev/shm").total >= _GIB  # noqa: S108 - looked at, not written to
    except OSError:
        roomy = False
    return "posix" if roomy else "mmap"


def _megabytes(size: int) -> str:
    """A size in bytes as PostgreSQL writes it, at least 4 MB."""
    return f"{max(size // _MIB, 4)}MB"


def _quoted(value: str | int) -> str:
    """A value as it stands in a configuration file."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
