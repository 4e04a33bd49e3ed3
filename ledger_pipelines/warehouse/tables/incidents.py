"""The tables of schema ``ops`` for incidents and the deletions that a person confirmed."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.warehouse.tables.common import CLOCK, Moment, column, customer_id, key, one_of, table

_OPEN, _UNDELIVERED = sa.text("state = 'open'"), sa.text("delivered_at IS NULL")

incidents = table(
    "ops",
    "incidents",
    "What is wrong and waits for a person: one row from the moment it is found; closed when its cause is gone",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Number of the incident"),
    column(
        "event_id",
        sa.Uuid,
        "Names the incident to the webhook, however often it is posted",
        server_default=sa.text("gen_random_uuid()"),
    ),
    column("kind", sa.Text, "What kind of incident, such as deletion_refused"),
    column("subject", sa.Text, "What it is about: a customer, a table, a sensor, a job"),
    column(
        "customers",
        sa.ARRAY(sa.BigInteger),
        "The customers whose figures may be wrong because of it; empty: none in particular",
        server_default=sa.text("'{}'"),
    ),
    column("opened_at", Moment, "When it was first seen", server_default=CLOCK),
    column("last_seen_at", Moment, "When it was last seen", server_default=CLOCK),
    column("occurrences", sa.BigInteger, "How often it was seen", server_default=sa.text("1")),
    column("state", sa.Text, "open, or closed: its cause is gone", server_default="open"),
    column("closed_at", Moment, "When its cause was found gone; null while it is open", null=True),
    column("owner", sa.Text, "The team that takes care of it, as the owners of the assets are called"),
    column("reason", sa.Text, "What is wrong"),
    column("what_to_do", sa.Text, "What a person does about it"),
    column("details", JSONB, "What the kind keeps besides, such as rows by table", server_default=sa.text("'{}'")),
    column("run_id", sa.Text, "The Dagster run that last saw it; null: no run", null=True),
    column("delivered_at", Moment, "When the webhook accepted it; null: not yet, or no webhook is set", null=True),
    column("attempts", sa.Integer, "How often it was posted", server_default=sa.text("0")),
    column("next_attempt_at", Moment, "Not to be posted again before; null: not posted yet", null=True),
    column("last_error", sa.Text, "Why the last attempt to post it failed; null: it did not", null=True),
    one_of("state", ("open", "closed")),
    sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
    sa.Index("uq_incidents_open", "kind", "subject", unique=True, postgresql_where=_OPEN),
    sa.Index("ix_incidents_undelivered", "opened_at", postgresql_where=_UNDELIVERED),
)

deletion_confirmations = table(
    "ops",
    "deletion_confirmations",
    "Deletions that the guard refused and a person confirmed: one row a customer and table",
    customer_id(),
    column("table_name", sa.Text, "The table that may lose the rows, with its schema"),
    column("rows", sa.BigInteger, "How many rows of the customer may go; more are refused again"),
    column("confirmed_by", sa.Text, "Who confirmed it"),
    column("confirmed_at", Moment, "When it was confirmed", server_default=CLOCK),
    column("expires_at", Moment, "From this moment on it allows nothing"),
    key("customer_id", "table_name"),
    sa.CheckConstraint("rows > 0", name="rows"),
)
