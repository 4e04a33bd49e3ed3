"""The rules of the ledger as folders of small tables: what is given, and what must follow.

Each folder is one rule. `scenario.toml` names it; `given_customers.csv`, `given_readings.csv`,
`given_prices.csv` and `given_deposits.csv` are the source; `then_transactions.csv`, `then_balances.csv` and
`then_rejected.csv` are what the ledger must hold. A file that is missing is an empty table. Where the rule is
about a change, the folder `after` holds the source and the ledger after it: of each table that changed the
whole file, and no file where the table stays as it was.

The figures in the `then_` tables were worked out by hand from docs/rules.md. `load` reads the folders.
"""
