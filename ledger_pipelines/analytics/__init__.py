"""The analysts' door: views that answer the usual questions in plain SQL, and the role that may read them.

What belongs here: declarations of views, and what an analyst may do. What does not: anything that writes the data.
"""
