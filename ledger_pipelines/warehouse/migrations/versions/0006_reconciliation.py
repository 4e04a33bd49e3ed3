"""What the reconciliations find, and which business partners a customer is invoiced as.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What the reconciliations find, and which business partners a customer is invoiced as."""
    op.create_table(
        "balance_comparison",
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column(
            "last_month",
            sa.String(length=7, collation="C"),
            nullable=True,
            comment="The month of the latest balance; null: the customer has none",
        ),
        sa.Column(
            "ledger_balance",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="Closing balance of that month; 0 if the customer has none",
        ),
        sa.Column(
            "application_balance",
            sa.Numeric(),
            nullable=False,
            comment="total_deposit - total_purchases of the application; 0 for what is null",
        ),
        sa.Column(
            "difference",
            sa.Numeric(),
            nullable=False,
            comment="ledger_balance - application_balance: the sum of the reasons' amounts",
        ),
        sa.Column(
            "matches", sa.Boolean(), nullable=False, comment="True if the difference is below 0.01 rupiah either way"
        ),
        sa.Column(
            "reasons",
            sa.ARRAY(sa.Text()),
            nullable=False,
            comment="The reasons with an amount, if the balances do not match",
        ),
        sa.Column(
            "rounding",
            sa.Numeric(),
            nullable=False,
            comment="Rupiah of the difference: cents of rounding in the application's bills and totals",
        ),
        sa.Column(
            "readings_without_price",
            sa.Numeric(),
            nullable=False,
            comment="Rupiah of the difference: bills of readings that have no price or factor by any rule",
        ),
        sa.Column(
            "rejected_readings",
            sa.Numeric(),
            nullable=False,
            comment="Rupiah of the difference: bills of readings that cannot be used (ops.rejected_rows)",
        ),
        sa.Column(
            "duplicate_readings",
            sa.Numeric(),
            nullable=False,
            comment="Rupiah of the difference: readings that start together, of which the application counts one",
        ),
        sa.Column(
            "billed_otherwise",
            sa.Numeric(),
            nullable=False,
            comment="Rupiah of the difference: other readings whose bill (harga_final) is not what the rules give",
        ),
        sa.Column(
            "rejected_deposits",
            sa.Numeric(),
            nullable=False,
            comment="Rupiah of the difference: entries of deposit_history that cannot be used (ops.rejected_rows)",
        ),
        sa.Column(
            "deposits_outside_list",
            sa.Numeric(),
            nullable=False,
            comment="Rupiah of the difference: the list of deposits does not add up to total_deposit",
        ),
        sa.Column("unexplained", sa.Numeric(), nullable=False, comment="Rupiah of the difference: none of these"),
        sa.Column(
            "reason_rows",
            postgresql.JSONB(),
            nullable=False,
            comment="How many rows stand for each reason that comes from rows",
        ),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=False, comment="When this row last changed"),
        sa.CheckConstraint(
            "difference = rounding + readings_without_price + rejected_readings + duplicate_readings + "
            "billed_otherwise + rejected_deposits + deposits_outside_list + unexplained",
            name=op.f("ck_balance_comparison_reasons"),
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_balance_comparison")),
        schema="ledger",
        comment="The latest balance of each customer against the billing application's own totals: one row a customer",
    )
    op.create_index(
        "ix_balance_comparison_mismatches",
        "balance_comparison",
        ["customer_id"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("NOT matches"),
    )
    op.create_table(
        "customer_business_partners",
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="The customer: users.id of the billing application"
        ),
        sa.Column(
            "bp_code", sa.Text(), nullable=False, comment="The business partner: so_invoice_line.bp_code of the ERP"
        ),
        sa.Column(
            "origin",
            sa.Text(),
            nullable=False,
            comment="default: the contract number is the code; set: by a person; excluded: by a person",
        ),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Since when it is so",
        ),
        sa.CheckConstraint(
            "origin IN ('default', 'set', 'excluded')", name=op.f("ck_customer_business_partners_origin")
        ),
        sa.PrimaryKeyConstraint("customer_id", "bp_code", name=op.f("pk_customer_business_partners")),
        schema="ledger",
        comment="Which business partners of the ERP a customer is invoiced as: one row a customer and partner",
    )
    op.create_index(
        op.f("ix_customer_business_partners_bp_code"),
        "customer_business_partners",
        ["bp_code"],
        unique=False,
        schema="ledger",
    )
    op.create_table(
        "invoice_reconciliation",
        sa.Column(
            "year_month",
            sa.String(length=7, collation="C"),
            nullable=False,
            comment="The month of the readings, and of the deliveries that the invoices are about",
        ),
        sa.Column(
            "account",
            sa.Text(),
            nullable=False,
            comment="customer:N, the first of the customers; or partner:C for a partner without one",
        ),
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=True, comment="The first of the customers; null: there is none"
        ),
        sa.Column(
            "customers",
            sa.ARRAY(sa.BigInteger()),
            nullable=False,
            comment="The customers: several if they are invoiced as one partner",
        ),
        sa.Column(
            "bp_codes",
            sa.ARRAY(sa.Text()),
            nullable=False,
            comment="The business partners: several if one customer is invoiced as them",
        ),
        sa.Column("partner_name", sa.Text(), nullable=True, comment="Name of a business partner, as an invoice has it"),
        sa.Column(
            "purchases",
            sa.Numeric(precision=60, scale=2),
            nullable=False,
            comment="Purchases of the customers in the month, rupiah",
        ),
        sa.Column(
            "invoiced",
            sa.Numeric(),
            nullable=False,
            comment="Sum of amount_hc of the partners' invoiced lines of the month",
        ),
        sa.Column("invoice_lines", sa.BigInteger(), nullable=False, comment="How many invoiced lines that are"),
        sa.Column("difference", sa.Numeric(), nullable=False, comment="purchases - invoiced"),
        sa.Column(
            "status", sa.Text(), nullable=False, comment="What came of it: docs/rules.md, Invoice reconciliation"
        ),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=False, comment="When this row last changed"),
        sa.CheckConstraint(
            "status IN ('matched', 'differs', 'not_invoiced', 'customer_without_partner', 'partner_without_customer')",
            name=op.f("ck_invoice_reconciliation_status"),
        ),
        sa.CheckConstraint("difference = purchases - invoiced", name=op.f("ck_invoice_reconciliation_difference")),
        sa.PrimaryKeyConstraint("year_month", "account", name=op.f("pk_invoice_reconciliation")),
        schema="ledger",
        comment="Purchases of the ledger against the ERP's invoices: one row a month and account",
    )
    op.create_index(
        op.f("ix_invoice_reconciliation_customer_id"),
        "invoice_reconciliation",
        ["customer_id"],
        unique=False,
        schema="ledger",
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_invoice_reconciliation_customer_id"), table_name="invoice_reconciliation", schema="ledger")
    op.drop_table("invoice_reconciliation", schema="ledger")
    op.drop_index(
        op.f("ix_customer_business_partners_bp_code"), table_name="customer_business_partners", schema="ledger"
    )
    op.drop_table("customer_business_partners", schema="ledger")
    op.drop_index(
        "ix_balance_comparison_mismatches",
        table_name="balance_comparison",
        schema="ledger",
        postgresql_where=sa.text("NOT matches"),
    )
    op.drop_table("balance_comparison", schema="ledger")
