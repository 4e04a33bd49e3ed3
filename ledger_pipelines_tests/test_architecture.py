"""Architecture of the code: allowed imports, the use of Dagster, and comments on tables and views."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa

import ledger_pipelines
import ledger_pipelines_tests
from ledger_pipelines import dagster_internals
from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.sources.dialects import SERVERS
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.views import View

ROOT = Path(ledger_pipelines.__file__).parent
PACKAGE = ROOT.name
FOUNDATION = {"domain", "errors", "settings", "horizon", "ids", "processes", "rejection_reasons"}
WAREHOUSE = {"warehouse", "warehouse.ops", "warehouse.queries", "warehouse.tables"}
SOURCES = {"sources", "sources.billing", "sources.dialects", "sources.erp", "sources.erp.connection"}
LOADING = {"loading", "loading.billing", "loading.erp"}
DEMO = {"demo"}
CORE = FOUNDATION | WAREHOUSE | SOURCES | LOADING | {"ledger", "databases", "analytics", "realtime", "notifications"}
BELOW_WEB = {"serving", "serving.access", "serving.base", "serving.dagster"}
SERVICES = BELOW_WEB | {"serving.process_control"}
ROOMS: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "horizon": {"errors"},
    "settings": {"errors", "horizon"},
    "ids": set(),
    "domain": set(),
    "processes": set(),
    "rejection_reasons": set(),
    "dagster_internals": set(),
    "embedded_postgres": {"errors", "settings"},
    "warehouse.tables": {"domain"},
    "warehouse.migrations": {"warehouse.tables"},
    "warehouse": FOUNDATION | {"embedded_postgres", "warehouse.tables"},
    "warehouse.ops": FOUNDATION | {"warehouse", "warehouse.tables"},
    "warehouse.queries": FOUNDATION | {"warehouse", "warehouse.ops", "warehouse.tables"},
    "sources": FOUNDATION,
    "sources.dialects": FOUNDATION | {"sources"},
    "sources.billing": FOUNDATION | {"sources", "sources.dialects"},
    "sources.erp.connection": FOUNDATION | {"sources", "sources.dialects"},
    "sources.erp": FOUNDATION | {"sources", "sources.dialects", "sources.erp.connection"},
    "loading": FOUNDATION | WAREHOUSE | SOURCES,
    "loading.billing": FOUNDATION | WAREHOUSE | {"loading", "sources", "sources.billing"},
    "loading.erp": FOUNDATION | WAREHOUSE | {"loading", "sources", "sources.erp", "sources.erp.connection"},
    "ledger": FOUNDATION | WAREHOUSE,
    "databases": FOUNDATION | WAREHOUSE | {"sources", "sources.billing", "ledger"},
    "analytics": FOUNDATION | WAREHOUSE | {"ledger"},
    "notifications": FOUNDATION | WAREHOUSE,
    "realtime": FOUNDATION | WAREHOUSE | {"sources", "sources.billing", "loading", "loading.billing", "ledger"},
    "demo": FOUNDATION | SOURCES,
    "defs.partitions": FOUNDATION,
    "defs.resources": CORE - {"realtime", "notifications", "analytics"} | {"dagster_internals"},
    "defs.assets": CORE - {"notifications", "analytics"} | {"defs.partitions", "defs.resources"},
    "defs.automation": CORE - {"analytics"} | {"defs.partitions", "defs.resources", "defs.assets"},
    "definitions": FOUNDATION | {"defs.partitions", "defs.resources", "defs.assets", "defs.automation"},
    "serving.base": CORE | DEMO | {"embedded_postgres"},
    "serving.process_control": CORE | {"serving.base"},
    "serving.dagster": CORE | {"serving.base"},
    "serving.access": CORE | {"serving.base"},
    "serving": CORE | DEMO | {"serving.base", "serving.dagster", "serving.process_control"},
    "serving.web": CORE | BELOW_WEB,
    "serving.api": CORE | BELOW_WEB | {"serving.web"},
    "serving.dashboard.translations": FOUNDATION | WAREHOUSE,
    "serving.dashboard": CORE | BELOW_WEB | {"serving.web", "serving.dashboard.translations"},
    "serving.dashboard.pages": CORE
    | BELOW_WEB
    | {"serving.web", "serving.dashboard.translations", "serving.dashboard"},
    "serving.app": {"settings", "serving.web", "serving.api", "serving.dashboard.pages"},
    "serving.supervisor": CORE | SERVICES | {"embedded_postgres", "serving.web"},
    "serving.dagster_ui": FOUNDATION | {"serving.dagster", "dagster_internals"},
    "serving.cli.common": CORE | SERVICES,
    "serving.cli": CORE | DEMO | SERVICES | {"serving.cli.common", "serving.supervisor", "serving.web"},
}
"""Rooms, and the other rooms that each may import. A module is in the room with the longest matching prefix."""

CATALOGUE = "sources.erp.catalogue"
"""Declarations without any library: the warehouse builds its tables from them, the reader its SELECTs."""

APPLICATION_TYPES = "sources.billing.schema"
"""Declares the types that the billing application's framework creates at each kind of server."""

WITHOUT_DAGSTER = (
    "errors",
    "settings",
    "horizon",
    "ids",
    "domain",
    "rejection_reasons",
    "processes",
    "warehouse",
    "sources",
    "loading",
    "ledger",
    "databases",
    "analytics",
    "realtime",
    "notifications",
    "demo",
    "embedded_postgres",
    "serving",
)
DAGSTER_CLIENT = {"serving.dagster.client", "serving.dagster.run_recorder"}
DAGSTER_WEBSERVER = "serving.dagster_ui.__main__"
DAGSTER_INTERNALS = {
    ledger_pipelines: "dagster_internals.py",
    ledger_pipelines_tests: "support/dagster_internals.py",
}
PRIVATE_IN_DAGSTER = re.compile(r"dagster(_webserver\.|\w*\._|\w*\.\w+\.\w)")
"""Imported names that are not in the top module of a package of Dagster. Its web server has no public names."""
NEAR_MONEY = ("ledger", "analytics", "sources", "warehouse", "loading")


def module_name(path: Path) -> str:
    """Return a module's name within the package: `warehouse.tables`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py")) if "migrations" not in path.parts}


def part_of(module: str) -> str:
    """Return the top-level part of the package that a module belongs to."""
    return module.partition(".")[0]


def room_of(name: str) -> str:
    """Return the room of a module, or of a name in a module; empty if it has none."""
    while name and name not in ROOMS:
        name = name.rpartition(".")[0]
    return name


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each import in a file, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_every_module_has_a_room() -> None:
    homeless = {module for module in MODULES if not room_of(module) and module not in {"defs", "__init__"}}
    assert homeless == set(), "add the new room and its allowed imports to ROOMS"
    assert {"warehouse.tables", "ledger.prices", "sources.values", "loading.billing.load"} <= MODULES.keys()
    assert {room_of(module) for module in MODULES} | {"warehouse.migrations"} >= ROOMS.keys()


def test_rooms_form_no_circle() -> None:
    assert list(TopologicalSorter(ROOMS).static_order())


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    room = room_of(module)
    wrong = [
        f"{MODULES[module].name}:{line} imports {name}"
        for line, name in imports(MODULES[module])
        if name.startswith(f"{PACKAGE}.")
        and room_of(name.removeprefix(f"{PACKAGE}.")) not in ROOMS.get(room, set()) | {room}
        and not name.startswith(f"{PACKAGE}.{CATALOGUE}.")
        and module not in DAGSTER_CLIENT
    ]
    assert wrong == []


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) in WITHOUT_DAGSTER])
def test_the_core_does_not_import_dagster(module: str) -> None:
    wrong = [
        f"{MODULES[module].name}:{line} imports {name}"
        for line, name in imports(MODULES[module])
        if name.removeprefix(f"{PACKAGE}.").startswith("dagster")
    ]
    assert wrong == [] or module in {*DAGSTER_CLIENT, DAGSTER_WEBSERVER}


@pytest.mark.parametrize("package", [ledger_pipelines, ledger_pipelines_tests], ids=lambda package: package.__name__)
def test_private_parts_of_dagster_are_imported_in_one_place(package: ModuleType) -> None:
    (root,) = package.__path__
    places = {
        path.relative_to(root).as_posix()
        for path in Path(root).rglob("*.py")
        for _, name in imports(path)
        if PRIVATE_IN_DAGSTER.match(name)
    }
    assert places == {DAGSTER_INTERNALS[package]}


def test_private_modules_of_dagster_are_named_in_one_place() -> None:
    """A module may also be named in a string, for `python -m` or a configuration."""
    named = [module for module, path in MODULES.items() if "dagster._" in path.read_text(encoding="utf-8")]
    assert named == ["dagster_internals"]


def test_private_parts_of_dagster_were_checked_with_the_installed_version() -> None:
    assert version("dagster") == dagster_internals.CHECKED_WITH


def test_the_core_is_importable_without_dagster() -> None:
    core = [name for name in MODULES if part_of(name) in WITHOUT_DAGSTER and part_of(name) != "serving"]
    assert not {name for name in packages_imported_by(core) if name.startswith("dagster")}


def test_the_real_time_path_does_not_wait_for_pandas_or_arrow() -> None:
    realtime = [name for name in MODULES if part_of(name) == "realtime"]
    assert not packages_imported_by(realtime) & {"alembic", "asyncmy", "pandas", "pandera", "pyarrow"}


def packages_imported_by(modules: Sequence[str]) -> set[str]:
    """Return the packages that a new process imports with some modules of the project."""
    program = [
        "import importlib, sys",
        *(f"importlib.import_module('{PACKAGE}.{name}')" for name in modules),
        "print(*{name.split('.')[0] for name in sys.modules})",
    ]
    answer = subprocess.run([sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split())


@pytest.mark.parametrize(
    "module",
    [name for name in MODULES if part_of(name) in NEAR_MONEY],
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
    assert list(floats(MODULES["demo.billing"], literals=True)) != []


def test_the_search_for_floats_finds_calls(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("price = float('1.5')\ncolumn = sa.Column(sa.Float)\nhalf = 0.5\n")
    assert list(floats(tmp_path / "module.py", literals=False)) == ["float() in line 1", "Float in line 2"]


def server_knowledge(path: Path) -> Iterator[str]:
    """Yield each place where a file names a kind of server in code, or an error that only one kind has."""
    servers = SERVERS.values()
    causes = [cause for server in servers for cause in server.causes]
    known: set[object] = {*SERVERS, *(server.title for server in servers)}
    known.update(state for cause in causes for state in cause.states)
    known.update(number for cause in causes for number in cause.numbers if number > 1000)  # smaller ones are common
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and node.value in known:
            yield f"{node.value!r} in line {node.lineno}"
    classes = {type(server).__name__ for server in servers}
    yield from (f"import of {name} in line {line}" for line, name in imports(path) if name.split(".")[-1] in classes)


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) in {"sources", "loading"}])
def test_what_is_known_of_a_server_is_in_its_module(module: str) -> None:
    if room_of(module) == "sources.dialects" or module == APPLICATION_TYPES:
        return
    assert list(server_knowledge(MODULES[module])) == []


def test_the_search_for_knowledge_of_servers_finds_it() -> None:
    found = " ".join(server_knowledge(MODULES["sources.dialects.mysql"]))
    assert "1213 in line" in found
    assert "'MariaDB' in line" in found
    assert "import of ledger_pipelines.sources.dialects.mysql.MySql" in " ".join(
        server_knowledge(MODULES["sources.dialects"])
    )


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


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT.parent / "docs").glob("*.md"))]
)
def test_modules_and_folders_named_in_the_docs_exist(page: str) -> None:
    named = re.findall(r"`(\w[\w./-]*(?:\.py|\.html|\.sql|/))`", (ROOT.parent / page).read_text(encoding="utf-8"))
    starts = [ROOT, ROOT.parent, ROOT.parent / "ledger_pipelines_tests", ROOT / "serving" / "dashboard"]
    assert [name for name in named if not any((start / name).exists() for start in starts)] == []
