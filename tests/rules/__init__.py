"""Rules that results obey, whatever the plan: random plans, each compared with a changed one.

`python -m tests.rules 50 --seed 1` tries each rule with 50 plans; the tests try a few.
"""
