"""Rules of a study: a workload on deployments that are compared."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import (
    ALL,
    LIBRARY,
    WORKLOAD,
    class_of_chat,
    measured,
    study,
)


def _pair(one: str, other: str, prelude: str = "") -> str:
    return (
        f"{LIBRARY}{prelude}{WORKLOAD}"
        f"deployment one {{ model = qwen3_8b; devices = 8; {one} }}\n"
        f"deployment other {{ model = qwen3_8b; devices = 8; {other} }}\n"
        "study s { workload = chat; deployments = [one, other] }\n"
    )


_TEST = "device = test_device"
_PRICED = (
    "device east extends test_device { price = 12 CNY/h }\n"
    "device west extends test_device { price = 2 USD/h }\n"
    "device south extends test_device { price = 14 CNY/h }\n"
)

RULES = (
    Rule(
        "E0471",
        "deployments of a study maximize different things",
        "A study ranks all its candidates in one list, so all its deployments need the same "
        "objective. "
        "Give them the same 'search.maximize', or write a study for each.",
        _pair(_TEST, f"{_TEST}; search {{ maximize = throughput_per_device }}"),
        _pair(_TEST, f"{_TEST}; search {{ maximize = throughput }}"),
    ),
    Rule(
        "E0472",
        "deployments of a study cannot be compared",
        "Mode prefill_only counts tokens of prompts, and mode decode_only has no first token. "
        "Their "
        "throughput is not that of whole requests, so a ranking would mislead. Write a study for "
        "each.",
        _pair(_TEST, f"{_TEST}; mode = prefill_only"),
        _pair(_TEST, f"{_TEST}; mode = disaggregated"),
    ),
    Rule(
        "E0473",
        "prices of a study are in several currencies",
        "Costs of all candidates are compared, and specc knows no exchange rates. Write all "
        "prices in "
        "one currency.",
        _pair("device = east", "device = west", _PRICED),
        _pair("device = east", "device = south", _PRICED),
    ),
    Rule(
        "E0474",
        "images for a model that takes none",
        "Requests of the workload have images, but the model has no vision encoder, so they have "
        "no "
        "cost. Choose a model with a block 'vision', or remove 'images'.",
        study("deployments = a3", "images { count = 2; width = 640; height = 480 }"),
        study("deployments = a3", "images { count = 2; width = 640; height = 480 }").replace(
            "qwen3_8b", "qwen3_vl_8b"
        ),
    ),
    Rule(
        "E0475",
        "outputs of one token leave nothing to decode",
        "Prefill brings the first output token. With one token of output, instances that only "
        "decode "
        "have no work. Write mode = prefill_only, or a longer output.",
        study("deployments = a3", a3="mode = disaggregated").replace("1500 tok", "1 tok"),
        study("deployments = a3", a3="mode = prefill_only").replace("1500 tok", "1 tok"),
    ),
    Rule(
        "E0476",
        "a sweep changes nothing",
        "All variants of the study are the same. The study does not use the block that the sweep "
        "sets, "
        "or all values of the sweep are the same. Sweep a field of a block that the study names.",
        ALL + "deployment a2 extends a3 { }\n"
        "study s { workload = chat; deployments = a3; sweep a2.devices in [4, 8] }",
        ALL + "study s { workload = chat; deployments = a3; sweep a3.devices in [4, 8] }",
    ),
    Rule(
        "E0477",
        "sweeps in 'sweep zip' have different lengths",
        "'sweep zip' takes the first values of all its sweeps together, then the second ones, and "
        "so on. "
        "Each sweep in it needs the same number of values. For all combinations, write the sweeps "
        "without 'zip'.",
        ALL + "study s { workload = chat; deployments = a3; sweep zip {\n"
        "    sweep chat.input in [1Ki tok, 2Ki tok]\n    sweep chat.output in [512 tok]\n} }",
        ALL + "study s { workload = chat; deployments = a3; sweep zip {\n"
        "    sweep chat.input in [1Ki tok, 2Ki tok]\n    sweep chat.output in [512 tok, 256 "
        "tok]\n} }",
    ),
    Rule(
        "E0478",
        "a class has the name of something else",
        "Results of a class are written as best.interactive.ttft.p99. 'best', 'prefill', 'decode' and "
        "the metrics of requests have a meaning of their own there. Choose another name.",
        class_of_chat("", "prefill"),
        class_of_chat(""),
    ),
    Rule(
        "E0479",
        "classes together with a trace",
        "A trace has the time and the lengths of each request, and does not say which class it is of. "
        "Simulate a rate instead; a class may take its lengths from a trace of its own: "
        'class batch { share = 20%; requests = lengths_from("batch.csv") }. Or remove the classes.',
        measured(
            'simulate { arrival = trace("trace.csv") }',
            "class batch { share = 20% }; class interactive { share = 80% }",
        ),
        measured(
            "simulate { arrival = poisson(2 req/s) }",
            "class batch { share = 20% }; class interactive { share = 80% }",
        ),
    ),
)
