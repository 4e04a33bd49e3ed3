"""Read models of customers: details, search, months, low balances."""
