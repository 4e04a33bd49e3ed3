"""Where the ERP is by the variables of the old system, which count where `LEDGER_ERP_URL` is not set."""

import re
from collections.abc import Mapping

from sqlalchemy import URL

from ledger_pipelines.settings.problems import shown

OLD_ERP_VARIABLES = (
    "DB_CONNECTION2", "DB_HOST2", "DB_PORT2", "DB_DATABASE2", "DB_USERNAME2", "DB_PASSWORD2",
)  # fmt: skip
"""By these the old system was told where the ERP is; they count where `LEDGER_ERP_URL` is not set."""

HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
"""A host name or an address, and nothing more."""

_SQL_SERVER_PORT = "1433"
_INSTANCE = re.compile(r"[A-Za-z0-9._-]+\\[A-Za-z0-9_$#-]+")


def faults_of_old_erp(old: Mapping[str, str]) -> list[str]:
    """What is wrong with the old system's variables about the ERP; nothing if none of them is set."""
    faults = []
    optional = ("DB_CONNECTION2", "DB_PORT2")
    missing = [name for name in OLD_ERP_VARIABLES if name not in old and name not in optional]
    if old and missing:
        faults.append(
            f"{', '.join(missing)}: not set, though {', '.join(old)} is; all are needed where LEDGER_ERP_URL is not set"
        )
    if old.get("DB_CONNECTION2", "sqlsrv") != "sqlsrv":
        faults.append("DB_CONNECTION2: is not sqlsrv; write another kind of database as LEDGER_ERP_URL")
    if not re.fullmatch(r"[0-9]{1,5}", old.get("DB_PORT2", _SQL_SERVER_PORT)):
        faults.append(f"DB_PORT2: {shown(old['DB_PORT2'])}is not a port. Example: DB_PORT2={_SQL_SERVER_PORT}")
    host = old.get("DB_HOST2", "localhost")
    if not HOST.fullmatch(host) and not _INSTANCE.fullmatch(host):
        faults.append(f"DB_HOST2: {shown(host)}is no host name or address, nor one with \\INSTANCE after it")
    return faults


def url_of_old_erp(old: Mapping[str, str]) -> str:
    """The URL that the old system's variables mean; a named instance says its port itself."""
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
