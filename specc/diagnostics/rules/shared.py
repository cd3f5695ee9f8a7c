"""What several rules have in common: parts of their examples, and the remedy of near misses."""

from specc.diagnostics.rule import Remedy

NEAR_MISS = Remedy("Change to '{text}'", safe=True)

LIBRARY = "use std.devices\nuse std.models\n"
WORKLOAD = "workload chat { input = 3500 tok; output = 1500 tok }\n"
DEPLOYMENT = "deployment a3 { model = qwen3_8b; device = test_device; devices = 8 }\n"
ALL = LIBRARY + WORKLOAD + DEPLOYMENT


def deployment(fields: str, model: str = "model = qwen3_8b", device: str = "test_device") -> str:
    """Return a spec with one deployment that has some more fields."""
    return f"{LIBRARY}deployment a3 {{ {model}; device = {device}; devices = 8\n    {fields}\n}}\n"


def model(fields: str, base: str) -> str:
    """Return a spec with a model that extends one of the library."""
    return f"use std.models\nmodel mine extends {base} {{ {fields} }}\n"


def study(fields: str, chat: str = "", a3: str = "") -> str:
    """Return a spec with a study that has some fields, and the workload and deployment it names."""
    return (
        f"{LIBRARY}workload chat {{ input = 3500 tok; output = 1500 tok; {chat} }}\n"
        f"deployment a3 {{ model = qwen3_8b; device = test_device; devices = 8; {a3} }}\n"
        f"study s {{\n    workload = chat\n    {fields}\n}}\n"
    )


def measured(fields: str, chat: str = "", server: str = "") -> str:
    """Return a spec with a simulated study of a measured server."""
    return (
        f"workload chat {{ input = 3500 tok; output = 1500 tok; {chat} }}\n"
        f"server box {{ {server} step_cost {{\n"
        "    | step | size | time |\n"
        "    | prefill | 1 | 25 ms |\n"
        "    | decode | 1 | 25 ms |\n"
        "} }\n"
        f"study s {{\n    workload = chat\n    servers = box\n    {fields}\n}}\n"
    )


def class_of_chat(fields: str, name: str = "batch") -> str:
    """Return a workload with two classes, one of which has some fields."""
    return (
        "workload chat { input = 3500 tok; output = 1500 tok\n"
        f"    class interactive {{ share = 80% }}\n    class {name} {{ share = 20%; {fields} }}\n}}"
    )
