"""The tables of schema ``ops`` for incidents and the deletions that a person confirmed."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.warehouse.tables.common import CLOCK, Moment, column, customer_id, key, one_of, table

_OPEN, _UNDELIVERED = sa.text("state = 'open'"), sa.text("delivered_at IS NULL")

incidents = table(
    "ops",
    "incidents",
    "Problems that need a person: one row per incident, from its detection on; closed when its cause is gone",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Id of the incident"),
    column(
        "event_id",
        sa.Uuid,
        "Id of the incident for the receiver of the webhook, the same in every attempt",
        server_default=sa.text("gen_random_uuid()"),
    ),
    column("kind", sa.Text, "Kind of incident, such as deletion_refused"),
    column("subject", sa.Text, "Affected object: a customer, table, sensor or job"),
    column(
        "customers",
        sa.ARRAY(sa.BigInteger),
        "Customers whose figures may be wrong; empty: not limited to certain customers",
        server_default=sa.text("'{}'"),
    ),
    column("opened_at", Moment, "When it was first detected", server_default=CLOCK),
    column("last_seen_at", Moment, "When it was last detected", server_default=CLOCK),
    column("occurrences", sa.BigInteger, "Number of times it was detected", server_default=sa.text("1")),
    column("state", sa.Text, "open, or closed: its cause is gone", server_default="open"),
    column("closed_at", Moment, "When it was closed; null while it is open", null=True),
    column("owner", sa.Text, "Team that is responsible, named like the owners of the assets"),
    column("reason", sa.Text, "What is wrong"),
    column("what_to_do", sa.Text, "What to do about it"),
    column(
        "details",
        JSONB,
        "Further data of the kind, such as the number of rows by table",
        server_default=sa.text("'{}'"),
    ),
    column("run_id", sa.Text, "The Dagster run that last detected it; null: no run", null=True),
    column(
        "delivered_at", Moment, "When the webhook accepted it; null: not yet, or no webhook is configured", null=True
    ),
    column("attempts", sa.Integer, "Number of attempts to post it", server_default=sa.text("0")),
    column("next_attempt_at", Moment, "Earliest time of the next attempt; null: not posted yet", null=True),
    column("last_error", sa.Text, "Why the last attempt failed; null: it did not fail", null=True),
    one_of("state", ("open", "closed")),
    sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
    sa.Index("uq_incidents_open", "kind", "subject", unique=True, postgresql_where=_OPEN),
    sa.Index("ix_incidents_undelivered", "opened_at", postgresql_where=_UNDELIVERED),
)

deletion_confirmations = table(
    "ops",
    "deletion_confirmations",
    "Deletions that the guard refused and a person confirmed: one row per customer and table",
    customer_id(),
    column("table_name", sa.Text, "The table that may lose the rows, with its schema"),
    column("rows", sa.BigInteger, "Number of rows of the customer that may be deleted; more are refused again"),
    column("confirmed_by", sa.Text, "Who confirmed it"),
    column("confirmed_at", Moment, "When it was confirmed", server_default=CLOCK),
    column("expires_at", Moment, "When it expires"),
    key("customer_id", "table_name"),
    sa.CheckConstraint("rows > 0", name="rows"),
)
