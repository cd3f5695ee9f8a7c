"""The `calibrated` rules: operators in, seconds out, by coefficients fitted to measurements.

One file a class of operators has its formula; `calibrated.py` says which operator is timed by
which, and `machine.py` what a device that was not measured makes of the coefficients. Read
`calibrated.py` first.
"""
