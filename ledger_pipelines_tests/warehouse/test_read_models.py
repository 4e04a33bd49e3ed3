"""Read models that are derived from a table have its columns and comments."""

from dataclasses import fields

from pydantic import TypeAdapter

from ledger_pipelines.warehouse.queries.customers.customer import Transaction
from ledger_pipelines.warehouse.tables import transaction_calculations


def test_transaction_has_every_column_with_its_comment() -> None:
    columns = [
        column for column in transaction_calculations.columns if column.name not in ("customer_id", "year_month")
    ]
    assert [item.name for item in fields(Transaction)] == [column.name for column in columns]
    schema = TypeAdapter(Transaction).json_schema(mode="serialization")["properties"]
    assert {name: part["description"] for name, part in schema.items()} == {
        column.name: column.comment for column in columns
    }
