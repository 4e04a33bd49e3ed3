"""REST API: balances, reconciliations, ERP syncs, health and metrics over HTTP."""
