"""The REST API: what applications ask of the ledger and of the syncs, over HTTP."""
