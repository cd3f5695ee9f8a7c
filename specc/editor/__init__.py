"""Editors: what a spec means at a place, the language server, and a lexer for colours.

In: the text of a spec, saved or not, and a position. Out: diagnostics, hover texts, completions,
definitions, symbols, edits. `analysis.py` knows the language and no protocol; `server.py` the
protocol and no language.
"""
