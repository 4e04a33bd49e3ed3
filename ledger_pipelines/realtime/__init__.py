"""Keeping the ledger up with the billing application: notice what changed, take it up. No Dagster.

`watch` and `patrol` notice changes and write them to `ops.pending_changes`; `catch_up` takes them up in the ledger.
`turn` carries every customer forward when a month begins.
"""
