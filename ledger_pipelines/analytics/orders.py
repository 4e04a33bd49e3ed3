"""Views of the ERP's open orders: warehouse orders and production orders."""

from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.padding import unpadded
from ledger_pipelines.warehouse.tables import ExactNumber, erp_tables
from ledger_pipelines.warehouse.views import View

_header, _line = erp_tables["view_warehouse_order"], erp_tables["view_warehouse_order_line"]
_production = erp_tables["view_prod_header"]
_TODAY = sa.func.current_date()


def _open_warehouse_orders() -> sa.Select[Any]:
    """One row: a line that has not been received, with the planned delivery date of its order."""
    order = unpadded(_header.c.order_origin_code)
    planned = (
        sa.select(order.label("order"), sa.func.min(_header.c.plan_delivery_date).label("planned_on"))
        .group_by(order)
        .subquery("planned")
    )
    line = _line.c
    is_late = sa.func.coalesce(planned.c.planned_on < _TODAY, sa.false())
    shipped = sa.func.coalesce(line.ship_qty, 0)
    state = sa.case(
        (line.delivery_date.is_(None), "not shipped"), (shipped < line.order_qty, "partly shipped"), else_="on its way"
    )
    return (
        sa.select(
            line.year_month,
            line.order_origin_code,
            line.line_no,
            line.order_origin,
            line.trx_type,
            line.order_date,
            planned.c.planned_on,
            is_late.label("is_late"),
            sa.case((is_late, sa.type_coerce(_TODAY - planned.c.planned_on, sa.Integer))).label("days_late"),
            sa.type_coerce(state, sa.Text).label("state"),
            line.line_status,
            line.item_code,
            line.item_desc,
            line.order_qty,
            line.ship_qty,
            (line.order_qty - shipped).label("open_qty"),
            line.unit,
            line.ship_from,
            line.ship_to,
            line.ship_to_desc,
        )
        .outerjoin_from(_line, planned, planned.c.order == unpadded(line.order_origin_code))
        .where(line.receipt_date.is_(None))
    )


def _production_progress() -> sa.Select[Any]:
    """One row: a production order with its progress."""
    order = _production.c
    delivered = sa.func.coalesce(order.qty_delivery, 0)
    state = sa.case(
        (delivered >= order.qty_order, "done"),
        (order.planning_date < _TODAY, "late"),
        (delivered > 0, "under way"),
        else_="planned",
    )
    return sa.select(
        order.year_month,
        order.prod_no,
        order.planning_date,
        order.item,
        order.description,
        order.customer,
        order.model,
        order.divisi,
        order.status,
        sa.type_coerce(state, sa.Text).label("state"),
        order.qty_order,
        order.qty_delivery,
        (order.qty_order - delivered).label("open_qty"),
        sa.func.round(100 * delivered / sa.func.nullif(order.qty_order, 0), 1, type_=ExactNumber).label("done_percent"),
    )


VIEWS = (
    View(
        "open_warehouse_orders",
        "Lines of warehouse orders that have not been received, and whether they are late: one row per line",
        _open_warehouse_orders(),
        {
            "year_month": "Month of the order",
            "order_origin_code": "Origin and number of the order, code",
            "line_no": "Line of the order",
            "order_origin": "Origin of the order",
            "trx_type": "Type of transaction",
            "order_date": "Date of the order",
            "planned_on": "Planned delivery date of the order; null: unknown",
            "is_late": "True if that date has passed",
            "days_late": "Days since that date; null: not late",
            "state": "not shipped, partly shipped or on its way, by dates and quantities",
            "line_status": "Status of the line in the ERP",
            "item_code": "Item code",
            "item_desc": "Item",
            "order_qty": "Quantity ordered",
            "ship_qty": "Quantity shipped",
            "open_qty": "Quantity not shipped yet",
            "unit": "Unit of the quantities",
            "ship_from": "Place shipped from, code",
            "ship_to": "Place shipped to, code",
            "ship_to_desc": "Place shipped to",
        },
    ),
    View(
        "production_progress",
        "Progress of production orders: one row per order",
        _production_progress(),
        {
            "year_month": "Month planned",
            "prod_no": "Production order number",
            "planning_date": "Date planned",
            "item": "Item produced, code",
            "description": "Item produced",
            "customer": "Customer that it is produced for",
            "model": "Model",
            "divisi": "Division",
            "status": "Status in the ERP",
            "state": "done, late (planned for a day that has passed), under way or planned, by quantities and dates",
            "qty_order": "Quantity ordered",
            "qty_delivery": "Quantity delivered",
            "open_qty": "Quantity not delivered yet",
            "done_percent": "Delivered quantity in per cent of the ordered quantity",
        },
    ),
)
