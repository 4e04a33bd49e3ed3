"""examples/analysis.py works with an analyst's role, on the demo."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger_pipelines.settings import project_folder

SCRIPT = project_folder() / "examples" / "analysis.py"
TITLES = (
    "Deposits and purchases",
    "Volume of the 5 largest",
    "Largest debts now",
    "Purchases by invoice status",
    "Receipts not invoiced or paid",
)


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a subprocess that also treats warnings as errors."""
    command = [sys.executable, "-W", "error", str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | variables, check=False)


@pytest.mark.slow
def test_script_writes_a_page_of_plots(analyst: sa.Engine, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    url = analyst.url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    done = run(str(page), ANALYST_URL=url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["year", "2024", "2025", "All"]
    html = page.read_text(encoding="utf-8")
    plots = html.split("Plotly.newPlot")[1:]
    assert len(plots) == html.count('class="plotly-graph-div"') == len(TITLES)
    for title in TITLES:
        assert title in html
    assert "cdn.plot.ly/plotly" not in html.split("</script>")[0][:200]
    with analyst.connect() as connection:
        debtor = connection.scalar(sa.text("SELECT name FROM current_balances ORDER BY closing_balance LIMIT 1"))
    assert str(debtor) in html


def test_script_reports_a_missing_url() -> None:
    done = run(ANALYST_URL="postgresql://nowhere")
    assert done.returncode == 1
    assert "ANALYST_URL" in done.stderr
