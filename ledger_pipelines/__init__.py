"""Customer balances and ERP copies of a gas distributor, month by month, in PostgreSQL."""
