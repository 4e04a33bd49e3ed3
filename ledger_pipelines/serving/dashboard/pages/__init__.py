"""The pages, one module a group: a request in, what the warehouse knows, a template out."""
