"""Views of the ERP's orders under way: between warehouses, and in production."""

from typing import Any

import sqlalchemy as sa

from ledger_pipelines.warehouse.blanks import unpadded
from ledger_pipelines.warehouse.tables import Digits, erp_tables
from ledger_pipelines.warehouse.views import View

_header, _line = erp_tables["view_warehouse_order"], erp_tables["view_warehouse_order_line"]
_production = erp_tables["view_prod_header"]
_TODAY = sa.func.current_date()


def _open_warehouse_orders() -> sa.Select[Any]:
    """One row: a line that has not been received, with the day for which its order was planned."""
    order = unpadded(_header.c.order_origin_code)
    planned = (
        sa.select(order.label("order"), sa.func.min(_header.c.plan_delivery_date).label("planned_on"))
        .group_by(order)
        .subquery("planned")
    )
    of = _line.c
    is_late = sa.func.coalesce(planned.c.planned_on < _TODAY, sa.false())
    shipped = sa.func.coalesce(of.ship_qty, 0)
    state = sa.case(
        (of.delivery_date.is_(None), "not shipped"), (shipped < of.order_qty, "partly shipped"), else_="on its way"
    )
    return (
        sa.select(
            of.year_month,
            of.order_origin_code,
            of.line_no,
            of.order_origin,
            of.trx_type,
            of.order_date,
            planned.c.planned_on,
            is_late.label("is_late"),
            sa.case((is_late, sa.type_coerce(_TODAY - planned.c.planned_on, sa.Integer))).label("days_late"),
            sa.type_coerce(state, sa.Text).label("state"),
            of.line_status,
            of.item_code,
            of.item_desc,
            of.order_qty,
            of.ship_qty,
            (of.order_qty - shipped).label("open_qty"),
            of.unit,
            of.ship_from,
            of.ship_to,
            of.ship_to_desc,
        )
        .outerjoin_from(_line, planned, planned.c.order == unpadded(of.order_origin_code))
        .where(of.receipt_date.is_(None))
    )


def _production_progress() -> sa.Select[Any]:
    """One row: a production order, and how far it has come."""
    of = _production.c
    delivered = sa.func.coalesce(of.qty_delivery, 0)
    state = sa.case(
        (delivered >= of.qty_order, "done"),
        (of.planning_date < _TODAY, "late"),
        (delivered > 0, "under way"),
        else_="planned",
    )
    return sa.select(
        of.year_month,
        of.prod_no,
        of.planning_date,
        of.item,
        of.description,
        of.customer,
        of.model,
        of.divisi,
        of.status,
        sa.type_coerce(state, sa.Text).label("state"),
        of.qty_order,
        of.qty_delivery,
        (of.qty_order - delivered).label("open_qty"),
        sa.func.round(100 * delivered / sa.func.nullif(of.qty_order, 0), 1, type_=Digits).label("done_percent"),
    )


VIEWS = (
    View(
        "open_warehouse_orders",
        "Lines of warehouse orders that have not been received, and whether they are late: one row a line",
        _open_warehouse_orders(),
        {
            "year_month": "Month of the order",
            "order_origin_code": "Origin and number of the order, code",
            "line_no": "Line of the order",
            "order_origin": "Origin of the order",
            "trx_type": "Kind of transaction",
            "order_date": "Date of the order",
            "planned_on": "Date on which delivery of the order is planned; null: it is not said",
            "is_late": "True if that date has passed",
            "days_late": "By how many days; null: it has not",
            "state": "not shipped, partly shipped or on its way, by dates and quantities",
            "line_status": "Status of the line, as the ERP has it",
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
        "How far production orders have come: one row an order",
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
            "status": "Status, as the ERP has it",
            "state": "done, late (planned for a day that has passed), under way or planned, by quantities and dates",
            "qty_order": "Quantity ordered",
            "qty_delivery": "Quantity delivered",
            "open_qty": "Quantity not delivered yet",
            "done_percent": "Delivered, per cent of what was ordered",
        },
    ),
)
