"""Search: the layouts a deployment may take, and the best batch size of each.

In: a deployment and a serving model. Out: candidates with their best batch, the pruned ones with
reasons, the infeasible ones with their nearest miss. It knows no hardware. Read `batch.py` first.
"""
