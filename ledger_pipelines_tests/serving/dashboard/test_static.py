"""Static files of the pages: packaged, and cached permanently by browsers."""

import gzip
import re
import tomllib
from pathlib import Path, PurePath

import pytest

import ledger_pipelines
from ledger_pipelines.serving.dashboard.static_files import static_file
from ledger_pipelines_tests.support.serving.dashboard_client import DashboardClient

PACKAGE = Path(ledger_pipelines.__file__).parent
NAMES = ("dashboard.css", "dashboard.js", "icon.svg", "plotly.min.js")


@pytest.mark.parametrize("name", NAMES)
def test_file_is_cached_permanently(anonymous: DashboardClient, name: str) -> None:
    file = static_file(name)
    answer = anonymous.get(file.path)
    assert answer.status_code == 200
    assert answer.content == file.content
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert gzip.decompress(file.compressed) == file.content
    assert "content-encoding" not in anonymous.get(file.path, headers={"Accept-Encoding": "identity"}).headers


@pytest.mark.parametrize("path", ["/static/0123456789abcdef/dashboard.css", "/static/x/../../settings.py"])
def test_other_files_are_not_served(anonymous: DashboardClient, path: str) -> None:
    assert anonymous.get(path).status_code == 404


def test_files_of_a_page_are_served(viewer: DashboardClient) -> None:
    paths = re.findall(r'(?:href|src)="(/static/[^"]+)"', viewer.get("/").text)
    assert sorted(path.rpartition("/")[2] for path in paths) == sorted(NAMES)
    assert all(viewer.get(path).status_code == 200 for path in paths)


def test_wheel_contains_every_data_file() -> None:
    declared = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = declared["tool"]["setuptools"]["package-data"]["ledger_pipelines"]
    files = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file()]
    others = [path for path in files if path.suffix not in (".py", ".pyc")]
    assert PurePath("serving/dashboard/templates/base.html") in others
    assert [str(path) for path in others if not any(path.match(pattern) for pattern in patterns)] == []
