"""Rules of a workload: how long requests are."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import class_of_chat

_BINS = "requests {\n    | share | input    | output |\n    | 50%   | 1 .. 2Ki | 64     |\n"


def _one_token(slo: str) -> str:
    return (
        "use std.devices\nuse std.models\n"
        f"workload first {{ input = 3500 tok; output = 1 tok; {slo} }}\n"
        "deployment d { model = qwen3_32b; device = test_device; devices = 8; parallel { tp = 8 } }\n"
        "study s { workload = first; deployments = d }"
    )


RULES = (
    Rule(
        "E0411",
        "a workload gives the lengths of requests twice",
        "'input' and 'output' say that all requests have one length. The table 'requests' says that "
        "there are several lengths. specc cannot know which one you want. Remove one of them.",
        "workload chat { input = 3500 tok; output = 1500 tok; " + _BINS + "} }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    Rule(
        "E0412",
        "'representative' without bins",
        "'representative' says which length stands for a bin of the table 'requests': its middle, its "
        "mean or its largest. This workload has no table, so the setting would change nothing. Remove "
        "it, or write the table.",
        "workload chat { input = 3500 tok; output = 1500 tok; representative = max }",
        "workload chat { " + _BINS + "}; representative = max }",
    ),
    Rule(
        "E0413",
        "'representative = mean' for bins without samples",
        "The mean of a bin is computed from the requests of a trace. A bin that is written as a range "
        "has no requests, so it has no mean. Write 'representative = mid' for the middle of the range, "
        'or build the bins from a trace: requests = lengths_from("trace.csv").',
        "workload chat { " + _BINS + "}; representative = mean }",
        "workload chat { " + _BINS + "}; representative = mid }",
    ),
    Rule(
        "E0414",
        "two bins overlap",
        "A request belongs to one bin. These two bins have some lengths of prompt and output in common, "
        "so a request could belong to both. A range includes its start and not its end, so the next "
        "bin may start where this one ends.",
        "workload chat { " + _BINS + "    | 50%   | 1Ki .. 4Ki | 64   |\n} }",
        "workload chat { " + _BINS + "    | 50%   | 2Ki .. 4Ki | 64   |\n} }",
    ),
    Rule(
        "E0415",
        "'bins' or 'edges' for a file that has bins already",
        "'bins' and 'edges' say how to cut the requests of a trace into bins. This file is no trace: "
        "each of its rows is a bin. Remove the argument, or name a trace with the columns "
        "num_prefill_tokens and num_decode_tokens.",
        'workload chat { requests = lengths_from("bins.csv", bins = 4) }',
        'workload chat { requests = lengths_from("bins.csv") }',
    ),
    Rule(
        "E0416",
        "'bins' and 'edges' together",
        "'bins = 8' cuts a trace into 8 bins with equally many requests. 'edges = [...]' cuts it at the "
        "lengths that you name. Only one of them can decide where a bin ends. Remove the other.",
        'workload chat { requests = lengths_from("trace.csv", bins = 2, edges = [0, 1Ki]) }',
        'workload chat { requests = lengths_from("trace.csv", edges = [0, 1Ki]) }',
    ),
    Rule(
        "E0417",
        "requests of a trace lie outside of the edges",
        "Each request of the trace must fall into a bin; otherwise the report would leave it out "
        "without a word. Start the edges at or below the shortest prompt, and end them above the longest.",
        'workload chat { requests = lengths_from("trace.csv", edges = [0, 100]) }',
        'workload chat { requests = lengths_from("trace.csv", edges = [0, 1Ki]) }',
    ),
    Rule(
        "E0418",
        "a limit on a metric that the requests do not have",
        "TPOT and ITL are times from one token to the next. If all outputs have one token, there is "
        "no such time, and the limit would always hold. Remove the limit, or give the length that "
        "outputs have.",
        _one_token("slo { tpot <= 50 ms }"),
        _one_token("slo { ttft <= 2 s }"),
    ),
    Rule(
        "E0419",
        "a class limits what belongs to all requests",
        "Sequences of all classes decode in the same steps, so the gaps between tokens (ITL) are not "
        "known by class; TPOT is. 'confidence' is asked of all limits of a workload. Both stand in "
        "the 'slo' of the workload. TTFT, TPOT, queue and latency may be limited in each class.",
        class_of_chat("slo { itl.p99 <= 80 ms }"),
        class_of_chat("slo { tpot.p99 <= 80 ms }"),
    ),
)
