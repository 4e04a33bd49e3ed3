"""Reconciliation: the ledger against what the billing application and the ERP say of the same months.

`comparison` and `reasons` are about the billing application's own totals, `partners` and `invoices` about the ERP. Rows
are kept in tables by content; ``warehouse/questions`` reads them.
"""
