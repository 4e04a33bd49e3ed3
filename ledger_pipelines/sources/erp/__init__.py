"""The ERP as a source: catalogue of its tables, statements, hashes and frames."""
