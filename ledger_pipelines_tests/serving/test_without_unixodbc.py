"""A machine without unixODBC, whose pyodbc cannot be loaded: everything works that reads no ERP by ODBC."""

import os
from pathlib import Path

import pytest

from ledger_pipelines_tests.serving.conftest import Installation

PYODBC = 'raise ImportError("libodbc.so.2: cannot open shared object file: No such file or directory")\n'
"""What the module of that name does in the place of the real one, which raises the same."""

IMPORT_ALL = """
import importlib, pkgutil
import ledger_pipelines
for module in pkgutil.walk_packages(ledger_pipelines.__path__, "ledger_pipelines."):
    if ".migrations." not in module.name and not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
"""


@pytest.fixture
def bare(installation: Installation, tmp_path: Path) -> Installation:
    """An installation none of whose processes can load pyodbc."""
    (tmp_path / "pyodbc.py").write_text(PYODBC)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    return Installation(installation.variables | {"PYTHONPATH": path})


def test_every_module_imports(bare: Installation, tmp_path: Path) -> None:
    script = tmp_path / "import_all.py"
    script.write_text(IMPORT_ALL)
    assert bare.python(str(script)) == ""


def test_help(bare: Installation) -> None:
    assert "demo" in bare.output_of("--help")


@pytest.mark.slow
def test_the_demo_runs(bare: Installation) -> None:
    assert "The latest balances" in bare.output_of("demo", "run")
