"""Read = loaded + rejected: where a load keeps what it rejects, and what it says when a row is neither."""

import sqlalchemy as sa

from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.rejected import CONTENT
from ledger_pipelines.warehouse.session import temporary

STAGED_REJECTIONS = temporary(
    "staged_rejections", *(sa.Column(name, tables.rejected_rows.c[name].type) for name in CONTENT)
)


class RowsLostError(Exception):
    """Rows that were read are neither loaded nor rejected; nothing was changed. A fault of this program."""
