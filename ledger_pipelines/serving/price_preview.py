"""Preview of a price change, as JSON and in totals; it retries while a run locks the tables."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.domain import PriceRule
from ledger_pipelines.ledger.preview import (
    MonthChange,
    Preview,
    PreviewBalance,
    Pricing,
    TransactionChange,
    preview_price_change,
)
from ledger_pipelines.ledger.price_change import PriceChange
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.sources.values import UnusableError, parse_number
from ledger_pipelines.warehouse.lock_retry import with_lock_retry
from ledger_pipelines.warehouse.queries.customers.customer import require_customer


@dataclass(frozen=True)
class PricePreview:
    """Preview of a price change for a customer.

    Attributes:
        customer_name: Name of the customer, if any.
        automatic: Whether automatic recalculation is on; if it is off, a command has to apply the change.
        preview: The transactions and balances that would change.
    """

    customer_name: str | None
    automatic: bool
    preview: Preview


def parse_amount(text: str, option: str) -> Decimal:
    """Parse a number that is not negative from a command-line option.

    Raises:
        ServingError: the text is not a number, is negative, or is outside the range of the ledger.
    """
    value = parse_signed_amount(text, option)
    if value < 0:
        raise ServingError(f"{option} is below 0. Write for example 12500.50")
    return value


def parse_signed_amount(text: str, option: str) -> Decimal:
    """Parse a number from a command-line option.

    Raises:
        ServingError: the text is not a number, or is outside the range of the ledger.
    """
    try:
        value = parse_number(text, option)
    except UnusableError as problem:
        raise ServingError(
            f"{problem}. Write it with a decimal point, without thousands separators: 12500.50"
        ) from None
    if value is None:
        raise ServingError(f"{option} is missing. Write for example 12500.50")
    return value


def preview_price(databases: Databases, change: PriceChange, waiting: Callable[[], None]) -> PricePreview:
    """Compute what a price would change, without changing anything or reading the billing application.

    Args:
        databases: The installation's databases.
        change: The price change.
        waiting: Called if the preview has to wait for a run.

    Raises:
        UnknownCustomerError: the customer is not in the warehouse.
        InputNotLoadedError: none of the months has been computed.
        WarehouseError: the warehouse cannot be used, or its tables stay locked by runs.
    """

    def compute(connection: sa.Connection) -> PricePreview:
        customer = require_customer(connection, change.customer_id)
        preview = preview_price_change(connection, change, databases.horizon())
        return PricePreview(customer.name, customer.use_realtime_calculation, preview)

    return with_lock_retry(databases.warehouse, compute, waiting)


def preview_as_json(found: PricePreview) -> dict[str, Any]:
    """Return the preview as JSON; amounts become strings, which keep every digit."""
    result, change = found.preview, found.preview.change
    return {
        "success": True,
        "preview": True,
        "customer_id": change.customer_id,
        "customer_name": found.customer_name,
        "use_realtime_calculation": found.automatic,
        "from_month": change.first,
        "to_month": change.last,
        "computed_months": result.months,
        "price": change.price,
        "correction": change.correction,
        "entries": [{"position": entry.position, "entry": entry.entry} for entry in result.entries],
        "changed": [_transaction(change) for change in result.changed],
        "kept": [_transaction(change) | {"reason": unchanged_reason(change)} for change in result.unchanged],
        "unpriced_readings": result.unpriced,
        "balances": [_month(month) for month in result.balances],
        "totals": totals(result),
    }


def totals(result: Preview) -> dict[str, Any]:
    """Return the totals of the preview: counts, rupiah before and after, and the last closing balance."""
    before, after = (
        sum((pricing.amount for pricing in side if pricing is not None), Decimal("0.00"))
        for side in (
            [change.before for change in result.transactions],
            [change.after for change in result.transactions],
        )
    )
    last = result.balances[-1] if result.balances else None
    return {
        "transactions_changed": len(result.changed),
        "transactions_kept": len(result.unchanged),
        "months_changed": len(result.balances),
        "amount_before": before,
        "amount_after": after,
        "difference": after - before,
        "closing_before": last and last.before and last.before.closing,
        "closing_after": last and last.after and last.after.closing,
    }


def unchanged_reason(change: TransactionChange) -> str:
    """Return why a transaction in the months of the change would stay the same."""
    if change.after is not None and PriceRule(change.after.rule).precedence < PriceRule.MONTHLY.precedence:
        return f"priced by a {PriceRule(change.after.rule).label}"
    return "already has this price and factor"


def _transaction(change: TransactionChange) -> dict[str, Any]:
    return {
        "data_pencatatan_id": change.reading_id,
        "year_month": change.year_month,
        "transaction_date": change.at.isoformat(),
        "volume_flow_meter": change.volume,
        "before": _priced(change.before),
        "after": _priced(change.after),
        "difference": change.difference,
    }


def _priced(pricing: Pricing | None) -> dict[str, Any] | None:
    if pricing is None:
        return None
    return {
        "rule": pricing.rule,
        "koreksi_meter": pricing.factor,
        "harga_per_m3": pricing.price,
        "volume_sm3": pricing.volume_sm3,
        "total_harga": pricing.amount,
    }


def _month(month: MonthChange) -> dict[str, Any]:
    return {"year_month": month.year_month, "before": _balance(month.before), "after": _balance(month.after)}


def _balance(balance: PreviewBalance | None) -> dict[str, Any] | None:
    if balance is None:
        return None
    return {
        "opening_balance": balance.opening,
        "total_deposits": balance.deposits,
        "total_purchases": balance.purchases,
        "closing_balance": balance.closing,
        "total_volume_sm3": balance.volume_sm3,
    }
