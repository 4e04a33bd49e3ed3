"""Rules of the ledger as folders of small tables: a source and the expected ledger.

Each folder is one rule. `scenario.toml` names it. `given_customers.csv`, `given_readings.csv`,
`given_prices.csv` and `given_deposits.csv` are the source; `then_transactions.csv`, `then_balances.csv` and
`then_rejected.csv` are the expected ledger. A missing file is an empty table. If the rule is about a change, the
folder `after` holds the source and the ledger after the change: a whole file for each table that changed, and no
file for the others.

The figures in the `then_` tables were worked out by hand from docs/rules.md. `load` reads the folders.
"""
