"""Operators and their work: matrix and vector operations, bytes moved, bytes sent.

One file a subject; each `work` is vectorised over a step table and does not know the device. An
operator runs `repeat` times a step (once in every layer, say); the layers of one pipeline stage
may be a fraction. Formulas are those of the compiled graph of the published Ascend planner
(msmodeling, commit 84fec85), checked against its operator tables. Read `base.py` first.
"""
