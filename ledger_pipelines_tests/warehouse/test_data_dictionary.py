"""The data dictionary in docs/ agrees with the declarations."""

from ledger_pipelines.analytics.views import VIEWS
from ledger_pipelines.settings import project_folder
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpColumn, Kind
from ledger_pipelines.warehouse import data_dictionary
from ledger_pipelines.warehouse.tables.erp import erp_column_comment


def test_the_dictionary_is_current() -> None:
    page = project_folder() / "docs" / "data-dictionary.md"
    assert page.read_text(encoding="utf-8") == data_dictionary.markdown(VIEWS), (
        "ledger db dictionary > docs/data-dictionary.md"
    )


def test_it_names_every_column_of_the_erp() -> None:
    page = data_dictionary.markdown(VIEWS)
    for table in ERP_TABLES:
        assert f"### erp.{table.name}\n" in page
        for column in table.columns:
            assert f"| `{column.name}` | " in page
            assert f" | {erp_column_comment(column)} |" in page


def test_an_uncompared_column_of_the_erp_may_be_old() -> None:
    age = ErpColumn("age_days", Kind.INTEGER, "Age in days", compared=False)
    assert erp_column_comment(age) == "Age in days, as of the last change of another column of the row"


def test_it_names_every_column_of_the_views() -> None:
    page = data_dictionary.markdown(VIEWS)
    for view in VIEWS:
        section = page.partition(f"### analytics.{view.name}\n")[2].partition("\n###")[0]
        for name, comment in view.columns.items():
            assert f"| `{name}` | " in section
            assert f" | {comment} |" in section
