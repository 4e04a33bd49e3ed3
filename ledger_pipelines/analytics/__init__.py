"""SQL access for analysts: views that answer common questions, and the role that may read them.

This package declares views and grants privileges. Code that writes data belongs elsewhere.
"""
