"""State of the pipeline in the schema `ops`, one module a table or mechanism."""
