"""The data dictionary in docs/ says what the declarations say."""

from ledger_pipelines.settings import project_folder
from ledger_pipelines.sources.erp_tables import ERP_TABLES
from ledger_pipelines.warehouse import dictionary


def test_the_dictionary_is_current() -> None:
    page = project_folder() / "docs" / "data-dictionary.md"
    assert page.read_text(encoding="utf-8") == dictionary.markdown(), "ledger db dictionary > docs/data-dictionary.md"


def test_it_names_every_column_of_the_erp() -> None:
    page = dictionary.markdown()
    for table in ERP_TABLES:
        assert f"### erp.{table.name}\n" in page
        for column in table.columns:
            assert f"| `{column.name}` | " in page
            assert f" | {column.comment} |" in page
