"""Keep the ledger up to date with the billing application in real time. Independent of Dagster.

`poller` and `full_scan` detect changes and queue them in `ops.pending_changes`; `change_applier` applies them to the
ledger. `month_turn` carries every customer's balance forward when a month begins.
"""
