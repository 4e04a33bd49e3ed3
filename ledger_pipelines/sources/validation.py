"""What pandera says of a frame, in whatever environment."""

import pandas as pd
import pandera.pandas as pa


def validate(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as the schema lets it pass.

    Where pyarrow is installed, pandas holds texts in its arrays, pandera's messages of failed values among them, and
    these take no half a character (a lone surrogate): a row that is to be rejected would end the load. So not here.

    Raises:
        SchemaErrors: what does not fulfil the schema, all of it.
    """
    with pd.option_context("mode.string_storage", "python"):
        return schema.validate(frame, lazy=True)
