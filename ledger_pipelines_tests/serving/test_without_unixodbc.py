"""A machine without unixODBC, where pyodbc cannot be imported: everything except reading the ERP by ODBC works."""

import os
from pathlib import Path
from subprocess import PIPE

import pytest

from ledger_pipelines_tests.support.serving.installation import Installation

PYODBC = """
message = "libodbc.so.2: cannot open shared object file: No such file or directory"
raise ImportError(message, name="pyodbc", path=__file__)
"""
"""Replacement of pyodbc whose import fails in the same way."""

MESSAGE = (
    "The ERP mssql+pyodbc://reader:***@erp.example.com:1433/soi107 cannot be read: unixODBC is not installed "
    "(libodbc.so.2: cannot open shared object file: No such file or directory). Install it and a driver: "
    "`apt-get install libodbc2 tdsodbc` (Debian, Ubuntu), `dnf install unixODBC freetds` (Fedora, RHEL with EPEL) or "
    "`apk add unixodbc freetds` (Alpine). Microsoft's msodbcsql18 is another driver. "
    "`LEDGER_ERP_URL=mssql+pymssql://reader:***@erp.example.com:1433/soi107` needs neither: "
    "`pip install 'ledger-pipelines[pymssql]'`. Nothing was changed."
)

IMPORT_ALL = """
import importlib, pkgutil
import ledger_pipelines
for module in pkgutil.walk_packages(ledger_pipelines.__path__, "ledger_pipelines."):
    if ".migrations." not in module.name and not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
"""


@pytest.fixture
def bare(installation: Installation, tmp_path: Path) -> Installation:
    """Return an installation whose processes cannot import pyodbc."""
    (tmp_path / "pyodbc.py").write_text(PYODBC)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    return Installation(installation.variables | {"PYTHONPATH": path})


def test_every_module_imports(bare: Installation, tmp_path: Path) -> None:
    script = tmp_path / "import_all.py"
    script.write_text(IMPORT_ALL)
    assert bare.run_script(str(script)) == ""


def test_help(bare: Installation) -> None:
    assert "demo" in bare.checked_output("--help")


@pytest.mark.parametrize(
    "command", [("erp", "test-connection"), ("sync", "start", "--wait"), ("balance", "test-system")]
)
def test_commands_report_what_to_install(bare: Installation, command: tuple[str, ...]) -> None:
    variables = {"LEDGER_ERP_URL": "mssql+pyodbc://reader:s3cret@erp.example.com:1433/soi107"}
    started = Installation(bare.variables | variables).spawn(*command, "--json", stdout=PIPE, stderr=PIPE)
    printed, warned = started.communicate()
    assert started.returncode == 1
    assert MESSAGE in printed
    assert "s3cret" not in printed + warned
    assert "Traceback" not in warned


@pytest.mark.slow
def test_the_demo_runs(bare: Installation) -> None:
    assert "Latest balances" in bare.checked_output("demo", "run")
