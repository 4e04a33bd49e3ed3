"""Reconciliation of the ledger with the billing application and the ERP.

`comparison` and `reasons` compare the billing application's own totals; `partners`, `suggestions` and `invoices`
compare the ERP's invoices. A row keeps its time while its content stays the same; ``warehouse/questions`` reads the
rows.
"""
