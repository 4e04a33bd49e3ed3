"""The project's client of Dagster: run launches, GraphQL, environment, run summaries."""
