"""Validation gives the same result with and without pyarrow."""

from typing import Any

import pandas as pd
import pandera.pandas as pa
import pytest
from pandera.errors import SchemaErrors

from ledger_pipelines.sources.validation import validate_frame


def test_texts_are_not_held_by_arrow() -> None:
    storages = []

    def look(_values: Any) -> bool:
        storages.append(pd.StringDtype(na_value=float("nan")).storage)
        return True

    schema = pa.DataFrameSchema({"text": pa.Column(object, pa.Check(look))})
    validate_frame(schema, pd.DataFrame({"text": pd.Series(["a"], dtype=object)}))
    assert storages == ["python"]


def test_half_a_character_is_a_failed_value() -> None:
    schema = pa.DataFrameSchema({"text": pa.Column(object, pa.Check(lambda texts: texts == "a"))})
    with pytest.raises(SchemaErrors) as refused:
        validate_frame(schema, pd.DataFrame({"text": pd.Series(["a", "\ud83d"], dtype=object)}))
    assert list(refused.value.failure_cases["index"]) == [1]
