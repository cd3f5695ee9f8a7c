"""What only the published Ascend planner does (msmodeling, commit 84fec85).

The `reference` calibration equals that planner on the same step, quirks included, so that results
can be checked against it. In: the layers, operators and steps of the cost model. Out: its list of
operators (`layers.py`, `operators.py`) and their time (`rules.py`, `links.py`). Nothing outside
asks which of the two it works for: the rules of a calibration bring their layers with them. Read
`rules.py` first.
"""
