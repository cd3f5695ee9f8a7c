"""Outputs: a document or results as text, one module a format. They calculate nothing.

In: a `Material`, which is results, their document and what else a format needs. Out: text.
Read `registry.py` first: the tuple of all formats.
"""
