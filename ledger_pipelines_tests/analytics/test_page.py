"""docs/analytics.md: every query of it runs as the analyst, on the demo, and answers something."""

import re

import pytest
import sqlalchemy as sa

from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.settings import project_folder

PAGE = (project_folder() / "docs" / "analytics.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"^### (.+?)\n+```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_has_questions_of_every_kind() -> None:
    assert len(QUERIES) == PAGE.count("```sql") >= 15
    for view in VIEWS:
        assert any(re.search(rf"\b{view.name}\b", query) for query in QUERIES.values()), f"nobody asks {view.name}"


@pytest.mark.parametrize("question", QUERIES)
def test_a_query_answers_something(analyst: sa.Engine, question: str) -> None:
    with analyst.connect() as connection:
        rows = connection.exec_driver_sql(QUERIES[question]).all()
    assert rows != []
    assert any(value is not None for value in rows[0])
