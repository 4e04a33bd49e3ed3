"""The billing application as a source: columns, changes, parsing and validation of its rows."""
