"""Configuration of the embedded PostgreSQL: sized for the machine, tuned for loads of whole months."""

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
    """Return the memory of this machine, or of the container of this process, in bytes."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [physical]
    for file in ("memory.max", "memory/memory.limit_in_bytes"):  # control groups, version 2 and 1
        try:
            limits.append(int((Path("/sys/fs/cgroup") / file).read_text()))
        except (OSError, ValueError):  # this version is not in use, or the value is "max": no limit
            continue
    return min(limits)


def host_based_access() -> str:
    """Return the text of `pg_hba.conf`: connections by loopback and with a password only."""
    return _HOST_BASED_ACCESS


def configuration(*, port: int, log_folder: Path, cluster_name: str, memory: int, fast_and_unsafe: bool = False) -> str:
    """Return the text of the configuration file.

    Args:
        port: The port on loopback.
        log_folder: Folder of the server's log files: one per weekday, overwritten after a week.
        cluster_name: Prefix of the titles of the server's processes.
        memory: The machine's memory in bytes.
        fast_and_unsafe: Disable the protection of data against a crash of the machine (for tests).
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
        # With wal_level=minimal, a table that is created and filled in one transaction is not written to the WAL.
        # Replication and archiving are then impossible, which does not matter here: production has its own server.
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "wal_compression": "off",  # the package supports pglz only, which takes more time than it saves in writing
        "min_wal_size": "512MB",
        "max_wal_size": "6GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        # planner: solid-state disks; JIT compilation takes longer than it saves on statements of a few seconds
        "random_page_cost": "1.1",
        "jit": "off",
        # a run replaces one month, a small share of a large table
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
    """Return the type of shared memory for parallel workers: /dev/shm is often too small in containers."""
    try:
        is_large = shutil.disk_usage("/dev/shm").total >= _GIB  # noqa: S108 - only its size is read
    except OSError:
        is_large = False
    return "posix" if is_large else "mmap"


def _megabytes(size: int) -> str:
    """Format a size in bytes as PostgreSQL expects it, at least 4 MB."""
    return f"{max(size // _MIB, 4)}MB"


def _quoted(value: str | int) -> str:
    """Format a value for the configuration file."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
