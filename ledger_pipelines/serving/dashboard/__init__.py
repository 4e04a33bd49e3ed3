"""The dashboard: server-rendered pages in English and Indonesian.

This package holds routes, translations, formats, charts and templates. The queries of the pages are in `warehouse/`.
"""
