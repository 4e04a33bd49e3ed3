"""Create all tables and views.

Revision ID: 0015
"""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and the views."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
