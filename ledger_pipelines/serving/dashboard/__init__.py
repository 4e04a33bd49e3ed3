"""The dashboard: pages for people, rendered on the server, in English and Indonesian.

Here belong routes, words, formats, charts and templates. What a page asks of the warehouse is in `warehouse/`.
"""
