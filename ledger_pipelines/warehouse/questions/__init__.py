"""What applications and pages ask of the warehouse: plain functions, a connection in, frozen dataclasses out."""
