"""The operators of a candidate's steps: time, bound and share."""

import math
from typing import Any

from specc.cost import CostModel
from specc.cost.times import StepTimes
from specc.plan import Plan, Task
from specc.results import Instance, Point, StepPart, StepParts
from specc.run.evaluate import steps_of

_LEAST_SHARE = 0.02  # of a step, that a part of a picture is worth
_MOST = 14


def operator_table(plan: Plan, instance: Instance) -> list[dict[str, Any]]:
    """Return the operators of the decode and the prefill step, the longest first.

    Raises:
        ValueError: the instance is of another plan.
    """
    tasks = {task.key: task for study in plan.studies for task in study.tasks}
    task = tasks.get(instance.task)
    if task is None:
        raise ValueError(f"the plan has no task '{instance.task}': the instance is of another plan")
    return tables_of(task, instance.point)


def step_parts(task: Task, point: Point) -> tuple[StepParts, ...]:
    """Return the steps of an instance by operator, those that take little of one together."""
    found = []
    for table in tables_of(task, point):
        rows = table["operators"]
        large = [row for row in rows if row["share"] >= _LEAST_SHARE or row["share"] < 0]
        parts = [
            StepPart(row["operator"], row["total_ms"] / 1e3, row["bound"]) for row in large[:_MOST]
        ]
        rest = table["total_ms"] / 1e3 - math.fsum(part.time for part in parts)
        if rest > 1e-9:
            parts.append(StepPart("all others", rest, ""))
        found.append(StepParts(table["phase"], tuple(parts)))
    return tuple(found)


def tables_of(task: Task, point: Point) -> list[dict[str, Any]]:
    """Return the operators of the decode and the prefill step of an instance."""
    cost = CostModel.of(task.deployment, task.layout, task.drafted)
    tables = []
    for phase, steps in steps_of(task, point).items():
        listed = [
            (op, time) for op, time in cost.operator_times(steps) if time.total[0] * op.repeat > 0
        ]
        kernels = math.fsum(float(time.total[0]) * op.repeat for op, time in listed)
        total = float(cost.times(steps).total[0])
        rows = [
            {
                "operator": op.name,
                "class": op.kind.value,
                "assumed": op.assumed,
                "bound": _bound(time),
                "runs": op.repeat,
                "each_us": float(time.total[0]) * 1e6,
                "total_ms": float(time.total[0]) * op.repeat * 1e3,
                "share": float(time.total[0]) * op.repeat / total,
            }
            for op, time in listed
        ]
        rows.sort(key=lambda row: -float(row["total_ms"]))
        rest = total - kernels
        if abs(rest) > 1e-9 * total:
            waits = rest > 0
            rows.append(
                {
                    "operator": "host, sampling, stages" if waits else "hidden by two streams",
                    "class": "step",
                    "assumed": False,
                    "bound": "host" if waits else "overlap",
                    "runs": 1,
                    "each_us": rest * 1e6,
                    "total_ms": rest * 1e3,
                    "share": rest / total,
                }
            )
        tables.append({"phase": phase, "total_ms": total * 1e3, "operators": rows})
    return tables


def _bound(time: StepTimes) -> str:
    parts = {
        "compute": time.matrix[0],
        "vector": time.vector[0],
        "memory": time.memory[0],
        "communication": time.communication[0],
        "launch": time.launch[0],
    }
    return max(parts, key=lambda name: float(parts[name]))
