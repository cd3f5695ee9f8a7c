"""Rules of simulated studies: arrivals, servers and capacity."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import measured, study

_POISSON = "simulate { arrival = poisson(2 req/s) }"
_SLO = "slo { ttft.p99 <= 3 s }"
_DRAFTS = 'engine {{ speculative {{ draft = qwen3_0_6b; tokens = 1; acceptance = [0.7]; source = "measured" }}; {more} }}'

RULES = (
    Rule(
        "E0481",
        "the study needs a simulation",
        "Percentiles, goodput, measured servers and capacity exist only where single requests are "
        "simulated; closed forms and step loops compute means. Add a block to the study: "
        "simulate { arrival = poisson(12 req/s) }.",
        study("deployments = a3", _SLO),
        study(f"deployments = a3; {_POISSON}", _SLO),
    ),
    Rule(
        "E0482",
        "a study has deployments and measured servers",
        "Steps of a deployment are computed, steps of a measured server were measured. One "
        "ranking of "
        "both would compare two kinds of numbers. Write a study for each.",
        measured(f"deployments = a3; {_POISSON}")
        + "use std.devices\nuse std.models\n"
        + "deployment a3 { model = qwen3_8b; device = test_device; devices = 8 }\n",
        measured(_POISSON),
    ),
    Rule(
        "E0483",
        "the rate of requests is given twice",
        "The table 'rates' and the argument of 'arrival' both say how many requests come. A burst "
        "and a "
        "trace have no rate at all. With a table, write arrival = poisson without a rate.",
        measured(
            "simulate { arrival = poisson(3 req/s); rates {\n    | at  | rate    |\n    | 0 s | 3 "
            "req/s |\n} }"
        ),
        measured(
            "simulate { arrival = poisson; rates {\n    | at  | rate    |\n    | 0 s | 3 req/s "
            "|\n} }"
        ),
    ),
    Rule(
        "E0484",
        "times in 'rates' do not increase",
        "Each row of 'rates' says from when on a rate holds. Rows must be in order of time, and "
        "each "
        "time once.",
        measured(
            "simulate { arrival = poisson; rates {\n    | at  | rate    |\n    | 5 s | 3 req/s "
            "|\n    | 4 s | 2 req/s |\n} }"
        ),
        measured(
            "simulate { arrival = poisson; rates {\n    | at  | rate    |\n    | 4 s | 3 req/s "
            "|\n    | 5 s | 2 req/s |\n} }"
        ),
    ),
    Rule(
        "E0485",
        "the last rate is 0",
        "The last rate of the table 'rates' holds until all requests have come. If it is 0, the "
        "rest "
        "never comes and the simulation would not end. End the table with a rate above 0.",
        measured(
            "simulate { arrival = poisson; rates {\n    | at   | rate    |\n    | 0 s  | 3 req/s "
            "|\n    | 60 s | 0 req/s |\n} }"
        ),
        measured(
            "simulate { arrival = poisson; rates {\n    | at   | rate    |\n    | 0 s  | 3 req/s "
            "|\n    | 60 s | 1 req/s |\n} }"
        ),
    ),
    Rule(
        "E0486",
        "a setting has no effect here",
        "The setting would change nothing. 'speed' and 'block_tokens' belong to a trace; a trace "
        "is "
        "replayed as it is, so it takes no seed and no sessions; clients of a closed loop have no "
        "rates and no sessions; 'lengths' needs bins to draw "
        "from; "
        "'system_prompts' needs a length of system prompts; the rate of a capacity counts instances, "
        "which a fleet with a size or a rate of its own does; 'headroom' is a share of the rate of a "
        "fleet. The message says which it is. Remove "
        "the "
        "setting, or add what it needs.",
        measured("simulate { arrival = poisson(2 req/s); speed = 2 }"),
        measured('simulate { arrival = trace("trace.csv"); speed = 2 }'),
    ),
    Rule(
        "E0487",
        "a prefix-aware router, and no shared prefixes",
        "prefix_aware sends a request to the engine that has its prefix in the cache. Without "
        "sessions, "
        "or hash_ids in the trace, no two requests share a prefix. Add sessions { ... }, or choose "
        "another router.",
        measured("simulate { arrival = poisson(2 req/s); router = prefix_aware }"),
        measured(
            "simulate { arrival = poisson(2 req/s); router = prefix_aware; sessions { turns = 3 } }"
        ),
    ),
    Rule(
        "E0488",
        "a hit rate together with sessions or with a trace that has hash_ids",
        "'prefix_hit' of the workload fixes the share of the prompt that is found in the prefix "
        "cache. With sessions, or with hash_ids that say which blocks the requests of a trace share, "
        "the simulation computes this share itself. Remove one of them.",
        measured(
            "simulate { arrival = poisson(2 req/s); sessions { turns = 3 } }", "prefix_hit = 50%"
        ),
        measured("simulate { arrival = poisson(2 req/s); sessions { turns = 3 } }"),
    ),
    Rule(
        "E0489",
        "blocks of the trace are not a multiple of the KV-cache blocks",
        "A trace with hash_ids names shared prefixes in blocks of 'block_tokens'. Each of them "
        "must be a "
        "whole number of blocks of the KV cache ('block_size'). Choose a block size that divides "
        "'block_tokens'.",
        measured('simulate { arrival = trace("hashed.jsonl"); block_tokens = 40 tok }'),
        measured('simulate { arrival = trace("hashed.jsonl"); block_tokens = 32 tok }'),
    ),
    Rule(
        "E0491",
        "a measured server has no times for images",
        "The table 'step_cost' has times of prefill and decode steps, and none of a vision "
        "encoder. "
        "Remove 'images', or compare deployments instead of measured servers.",
        measured(_POISSON, "images { count = 2; width = 640; height = 480 }"),
        measured(_POISSON),
    ),
    Rule(
        "E0492",
        "a simulated deployment does not serve whole requests",
        "A simulation follows each request from its arrival to its last token. Modes prefill_only "
        "and "
        "decode_only do only one half of that. Use mode aggregated, disaggregated or pd_ratio.",
        study(f"deployments = a3; {_POISSON}", a3="mode = decode_only"),
        study(f"deployments = a3; {_POISSON}", a3="mode = disaggregated"),
    ),
    Rule(
        "E0493",
        "a simulated step cannot be overlapped",
        "In the simulation a step is one batch of prefill and decode together. 'step = overlapped' "
        "describes an engine that runs the two side by side, which is not simulated. Write step = "
        "mixed, "
        "or remove the simulation.",
        study(
            f"deployments = a3; {_POISSON}",
            a3="engine { scheduler = decode_first; step = overlapped }",
        ),
        study(
            f"deployments = a3; {_POISSON}", a3="engine { scheduler = decode_first; step = mixed }"
        ),
    ),
    Rule(
        "E0494",
        "the simulation has no asynchronous scheduling of drafts",
        "With speculative decoding, a simulated step is composed when the one before has ended: "
        "what it accepts is known then. Engines that compose it ahead expect all drafts to be "
        "accepted, which is not simulated. Remove 'async_scheduling = true'.",
        study(f"deployments = a3; {_POISSON}", a3=_DRAFTS.format(more="async_scheduling = true")),
        study(f"deployments = a3; {_POISSON}", a3=_DRAFTS.format(more="")),
    ),
    Rule(
        "E0495",
        "two times for the same step",
        "'step_cost' has two rows of one kind and one size, with times of their own. Write one "
        "row with "
        "their mean.",
        measured(_POISSON).replace("    | decode", "    | prefill | 1 | 26 ms |\n    | decode"),
        measured(_POISSON).replace("    | decode", "    | prefill | 2 | 26 ms |\n    | decode"),
    ),
    Rule(
        "E0496",
        "there are no steps to write",
        "'--perfetto' writes the steps of the configuration that specc recommends. No layout "
        "meets the limits, so there is none. Look at the report for the nearest miss.",
        session="specc simulate plan.spec --perfetto trace.json",
    ),
    Rule(
        "E0497",
        "a capacity without objectives",
        "The capacity is the highest rate at which requests still meet their objectives. Without "
        "objectives every rate meets them. Add them to the workload: "
        "slo { ttft.p99 <= 2 s; tpot.p99 <= 50 ms }.",
        measured(f"{_POISSON}; capacity {{ }}"),
        measured(f"{_POISSON}; capacity {{ }}", _SLO),
    ),
    Rule(
        "E0498",
        "the arrivals have no rate to raise",
        "The search for the capacity raises the rate of requests until objectives are missed. "
        "Requests "
        "that all come at once have no rate, and clients of a closed loop send as fast as they are "
        "served. Write arrival = poisson(12 req/s), or use a trace "
        "with "
        "times.",
        measured("simulate { arrival = burst }; capacity { }", _SLO),
        measured(f"{_POISSON}; capacity {{ }}", _SLO),
    ),
    Rule(
        "E0499",
        "a hit rate together with prefix caching",
        "'prefix_hit' of the workload fixes the share of the prompt that is found in the prefix cache. "
        "'prefix_caching = true' simulates the cache, and the share follows from the requests. Remove one "
        "of them; where 'prefix_caching' is left out, a fixed hit rate takes its place.",
        measured(_POISSON, "prefix_hit = 50%", "prefix_caching = true;"),
        measured(_POISSON, "prefix_hit = 50%"),
    ),
)
