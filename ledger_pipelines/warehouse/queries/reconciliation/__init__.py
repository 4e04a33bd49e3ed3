"""Read models of the comparison with the application's totals and with the ERP's invoices."""
