"""Reports: results → a document, which is a flat tree of blocks with text and pixels.

In: `Results`. Out: a `ReportDocument`, which `outputs` writes in each format. Read `document.py`
first, then `sections/__init__.py` for the order of the page, and one section.
"""
