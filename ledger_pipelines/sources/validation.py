"""Validation of frames by pandera, independent of the installed packages."""

import pandas as pd
import pandera.pandas as pa


def validate_frame(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame as validated by the schema.

    If pyarrow is installed, pandas stores texts, including pandera's messages of failed values, in Arrow arrays. These
    refuse lone surrogates, so a row that should be rejected would end the load. Hence the storage is set to Python.

    Raises:
        SchemaErrors: one or more values fail the schema; the error lists all of them.
    """
    with pd.option_context("mode.string_storage", "python"):
        return schema.validate(frame, lazy=True)
