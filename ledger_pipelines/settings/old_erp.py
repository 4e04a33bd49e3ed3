"""Address of the ERP from the variables of the old system, used if `LEDGER_ERP_URL` is not set."""

import re
from collections.abc import Mapping

from sqlalchemy import URL

from ledger_pipelines.settings.problems import quoted

OLD_ERP_VARIABLES = (
    "DB_CONNECTION2", "DB_HOST2", "DB_PORT2", "DB_DATABASE2", "DB_USERNAME2", "DB_PASSWORD2",
)  # fmt: skip
"""Variables that held the address of the ERP in the old system; used if `LEDGER_ERP_URL` is not set."""

HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
"""A host name or an address, without scheme and port."""

_SQL_SERVER_PORT = "1433"
_INSTANCE = re.compile(r"[A-Za-z0-9._-]+\\[A-Za-z0-9_$#-]+")


def old_erp_problems(old: Mapping[str, str]) -> list[str]:
    """Return the problems of the old system's variables; an empty list if none of them is set."""
    problems = []
    optional = ("DB_CONNECTION2", "DB_PORT2")
    missing = [name for name in OLD_ERP_VARIABLES if name not in old and name not in optional]
    if old and missing:
        problems.append(
            f"{', '.join(missing)}: not set, though {', '.join(old)} is; set all of them, or LEDGER_ERP_URL instead"
        )
    if old.get("DB_CONNECTION2", "sqlsrv") != "sqlsrv":
        problems.append("DB_CONNECTION2: is not sqlsrv; for another kind of database, set LEDGER_ERP_URL")
    if not re.fullmatch(r"[0-9]{1,5}", old.get("DB_PORT2", _SQL_SERVER_PORT)):
        problems.append(f"DB_PORT2: {quoted(old['DB_PORT2'])}is not a port. Example: DB_PORT2={_SQL_SERVER_PORT}")
    host = old.get("DB_HOST2", "localhost")
    if not HOST.fullmatch(host) and not _INSTANCE.fullmatch(host):
        problems.append(f"DB_HOST2: {quoted(host)}is not a host name or address, or one followed by \\INSTANCE")
    return problems


def old_erp_url(old: Mapping[str, str]) -> str:
    """Return the URL that the old system's variables describe; a named instance needs no port."""
    named = _INSTANCE.fullmatch(old["DB_HOST2"]) is not None
    port = old.get("DB_PORT2") or (None if named else _SQL_SERVER_PORT)
    url = URL.create(
        "mssql+pyodbc",
        username=old["DB_USERNAME2"],
        password=old["DB_PASSWORD2"],
        host=old["DB_HOST2"],
        port=int(port) if port else None,
        database=old["DB_DATABASE2"],
    )
    return url.render_as_string(hide_password=False)
