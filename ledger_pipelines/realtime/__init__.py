"""Keep the ledger up to date with the billing application in real time. Independent of Dagster.

`watch` and `patrol` detect changes and queue them in `ops.pending_changes`; `catch_up` applies them to the ledger.
`turn` carries every customer's balance forward when a month begins.
"""
