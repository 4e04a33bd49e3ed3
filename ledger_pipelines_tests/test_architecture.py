"""Architecture of the code: allowed imports, the use of Dagster, and comments on tables and views."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import ledger_pipelines
from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.views import View

ROOT = Path(ledger_pipelines.__file__).parent
PACKAGE = ROOT.name
FOUNDATION = {"settings", "horizon", "ids", "processes"}
LAYERS = {
    "settings": set[str](),
    "horizon": set[str](),
    "ids": set[str](),
    "processes": set[str](),
    "warehouse": FOUNDATION,
    "sources": FOUNDATION,
    "loading": FOUNDATION | {"warehouse", "sources"},
    "ledger": FOUNDATION | {"warehouse"},
    "analytics": FOUNDATION | {"warehouse", "ledger"},
    "delivery": FOUNDATION | {"warehouse"},
    "realtime": FOUNDATION | {"warehouse", "sources", "loading", "ledger"},
    "partitions": FOUNDATION,
    "resources": FOUNDATION | {"warehouse", "sources", "loading", "ledger"},
    "assets": FOUNDATION | {"warehouse", "sources", "loading", "ledger", "realtime", "partitions", "resources"},
    "automation": FOUNDATION
    | {"warehouse", "sources", "loading", "ledger", "realtime", "delivery", "partitions", "resources", "assets"},
    "definitions": FOUNDATION | {"partitions", "resources", "assets", "automation"},
    "serving": FOUNDATION | {"warehouse", "sources", "loading", "ledger", "analytics", "delivery"},
    "__init__": set[str](),
}
"""Parts of the package that each part may import."""

CATALOGUE = "sources.erp_tables"
"""Declarations without any library: the warehouse builds its tables from them, the reader its SELECTs."""

WITHOUT_DAGSTER = (
    "settings",
    "horizon",
    "ids",
    "processes",
    "warehouse",
    "sources",
    "loading",
    "ledger",
    "analytics",
    "realtime",
    "delivery",
    "serving",
)
DAGSTER_CLIENT = "serving.dagster_client"
DAGSTER_WEBSERVER = "serving.webserver.__main__"
NEAR_MONEY = ("ledger", "analytics", "sources", "warehouse", "loading")
DEMO = "sources.sample"
"""The demo imitates an application that computes with binary floats; it is not part of the ledger."""


def module_name(path: Path) -> str:
    """Return a module's name within the package: `warehouse.tables`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py")) if "migrations" not in path.parts}


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to."""
    return module.partition(".")[0]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each import in a file, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_every_part_of_the_package_has_its_place() -> None:
    assert {part_of(module) for module in MODULES} <= LAYERS.keys(), (
        "add the new part and its allowed imports to LAYERS"
    )
    assert {"warehouse.tables", "ledger.prices", "sources.values", "loading.billing"} <= MODULES.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    part = part_of(module)
    wrong = [
        f"{MODULES[module].name}:{line} imports {name}"
        for line, name in imports(MODULES[module])
        if name.startswith(f"{PACKAGE}.")
        and part_of(name.removeprefix(f"{PACKAGE}.")) not in LAYERS[part] | {part}
        and not (part == "warehouse" and name.startswith(f"{PACKAGE}.{CATALOGUE}."))
        and module != DAGSTER_CLIENT
    ]
    assert wrong == []


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) in WITHOUT_DAGSTER])
def test_the_core_does_not_import_dagster(module: str) -> None:
    wrong = [
        f"{MODULES[module].name}:{line} imports {name}"
        for line, name in imports(MODULES[module])
        if name.partition(".")[0].startswith("dagster")
    ]
    assert wrong == [] or module in (DAGSTER_CLIENT, DAGSTER_WEBSERVER)


def test_the_core_is_importable_without_dagster() -> None:
    core = [name for name in MODULES if part_of(name) in WITHOUT_DAGSTER and part_of(name) != "serving"]
    program = [
        "import importlib, sys",
        *(f"importlib.import_module('{PACKAGE}.{name}')" for name in core),
        "print(sorted(name for name in sys.modules if name.split('.')[0].startswith('dagster')))",
    ]
    answer = subprocess.run([sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module",
    [name for name in MODULES if part_of(name) in NEAR_MONEY and not f"{name}.".startswith(f"{DEMO}.")],
)
def test_no_binary_float_near_money(module: str) -> None:
    assert list(floats(MODULES[module], literals=part_of(module) in {"ledger", "analytics", "loading"})) == []


def floats(path: Path, *, literals: bool) -> Iterator[str]:
    """Yield each place where a file creates a binary float: `float(…)`, a FLOAT or DOUBLE column, or a literal."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    shares = {
        id(argument)  # the fraction of a percentile is not an amount
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "percentile_disc"
        for argument in call.args
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield f"float() in line {node.lineno}"
        elif isinstance(node, ast.Attribute) and node.attr.lower() in {"float", "double", "double_precision", "real"}:
            yield f"{node.attr} in line {node.lineno}"
        elif literals and isinstance(node, ast.Constant) and isinstance(node.value, float) and id(node) not in shares:
            yield f"the literal {node.value} in line {node.lineno}"


def test_the_search_for_floats_finds_them() -> None:
    """The demo computes with floats, like the application that it imitates."""
    assert list(floats(MODULES["sources.sample.billing"], literals=True)) != []


def test_the_search_for_floats_finds_calls(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("price = float('1.5')\ncolumn = sa.Column(sa.Float)\nhalf = 0.5\n")
    assert list(floats(tmp_path / "module.py", literals=False)) == ["float() in line 1", "Float in line 2"]


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=str)
def test_every_table_and_column_has_a_comment(table: sa.Table) -> None:
    assert table.comment
    assert [column.name for column in table.columns if not column.comment] == []
    assert table.schema in tables.SCHEMAS


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_and_column_has_a_comment(view: View) -> None:
    assert view.comment
    assert [name for name, comment in view.columns.items() if not comment] == []


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__"])
def test_every_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))


def test_the_catalogue_knows_no_library() -> None:
    """The warehouse and the reader both import the catalogue, so it may import neither."""
    known = ("collections", "dataclasses", "enum")
    assert [name for _, name in imports(MODULES[CATALOGUE]) if not name.startswith(known)] == []
