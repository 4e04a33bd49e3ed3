"""Texts by section: each module's `TEXTS` is a section of the catalogue, named like the module."""
