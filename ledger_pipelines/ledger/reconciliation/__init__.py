"""Reconciliation of the ledger with the billing application and the ERP.

`comparison` and `difference_reasons` compare the billing application's own totals; `partners`, `suggestions` and
`invoices` compare the ERP's invoices. A row keeps its time while its content stays the same; ``warehouse/queries``
reads the rows.
"""
