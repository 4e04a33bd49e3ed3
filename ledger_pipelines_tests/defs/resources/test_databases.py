"""Databases of a process, as the settings describe them."""

from ledger_pipelines.defs.resources import PipelineDatabases
from ledger_pipelines.settings import Settings


def test_a_sync_reads_the_schemas_of_the_settings() -> None:
    databases = PipelineDatabases(Settings(erp_url="sqlite://", erp_schema="sales.stockbywh"))
    assert databases.erp.schemas == {"stockbywh": "sales"}
    databases.dispose()
