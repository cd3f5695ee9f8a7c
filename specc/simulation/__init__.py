"""Request-level simulation of serving engines: queues, percentiles, and the capacity.

In: requests with their times, and the step costs of an instance. Out: an `Outcome` and its metrics.
`arrivals.py` makes requests, `cluster.py` routes them to engines, `instances.py` sizes the engines
of a deployment, `engine/` runs their steps. Read `cluster.py` first.
"""
