"""Measurements: fitting the cost model to kernels, and comparing it with what hardware did.

In: tables. Out: a calibration with its errors, or predictions beside measurements. Read
`kernels.py` for the tables, `classes.py` for the classes of operators, `fitting.py` for the fit.
"""
