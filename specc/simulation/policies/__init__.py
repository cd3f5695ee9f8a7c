"""Policies: what a step takes in, when a request may start, which engine it goes to.

In: a small picture of an engine, or of several. Out: a decision. A policy keeps no books: it
touches no block, sequence or queue, and the same picture gives the same decision. Each is a class
in the file of its name below `schedulers/`, `admissions/` or `routers/`; the names, their order and
a line about each are in `specc/ir/policies.py`. Read `schedulers/__init__.py` first.
"""
