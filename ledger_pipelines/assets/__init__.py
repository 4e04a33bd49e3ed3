"""The Dagster assets and their checks: bodies of a few lines around the packages below them."""
