"""Rules of how a deployment serves: mode, fleet, search, engine and speculation."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import deployment

_DEEPSEEK = "model = deepseek_v3; quant = bf16"
_RATES = 'source = "measured on our chat traffic"'
_PRICED = "use std.devices\nuse std.models\ndevice mine extends test_device { price = 12 CNY/h }\n"
_CHAT = (
    "workload chat { input = 3500 tok; output = 1500 tok }\n"
    "study s { workload = chat; deployments = a3 }\n"
)


def _limited(limit: str) -> str:
    return (
        _PRICED + "deployment a3 { model = qwen3_8b; device = mine; devices = 8\n"
        f"    search {{ limits {{ cost_per_million_tokens <= {limit} }} }}\n}}\n"
    )


RULES = (
    Rule(
        "E0441",
        "a setting has no effect in this mode",
        "The field or block belongs to another mode of serving, and would change nothing here. For "
        "example, 'prefill' and 'decode' describe separate instances (modes disaggregated and "
        "pd_ratio), "
        "and a scheduler belongs to mode aggregated. Change the mode or remove the setting.",
        deployment("prefill { devices = 4 }"),
        deployment("mode = disaggregated; prefill { devices = 4 }"),
    ),
    Rule(
        "E0442",
        "a fleet is smaller than one instance",
        "A fleet consists of whole instances; in mode pd_ratio it needs at least one for prefill "
        "and "
        "one for decode, and spares on top. Give the fleet more devices, or make the instances "
        "smaller.",
        deployment("mode = pd_ratio; fleet { devices = 12 }"),
        deployment("mode = pd_ratio; fleet { devices = 16 }"),
    ),
    Rule(
        "E0443",
        "'fewest_devices' without a rate",
        "To find the fewest devices, specc must know how many requests per second they have to "
        "serve. "
        "Write fleet { rate = 20 req/s }.",
        deployment("search { maximize = fewest_devices }"),
        deployment("search { maximize = fewest_devices }; fleet { rate = 20 req/s }"),
    ),
    Rule(
        "E0444",
        "a limit and the prices are in different currencies",
        "specc knows no exchange rates, so it cannot compare the cost with the limit. Write the "
        "limit "
        "in the currency of the device's price.",
        _limited("5 USD"),
        _limited("5 CNY"),
    ),
    Rule(
        "E0445",
        "a limit on a metric that the mode does not have",
        "Prefill alone decodes nothing and has no TPOT; decode alone has no TTFT. The limit could "
        "never be exceeded. Remove it, or change the mode.",
        deployment("mode = decode_only; search { limits { ttft <= 1 s } }")
        + "workload chat { input = 3500 tok; output = 1500 tok }\n"
        "study s { workload = chat; deployments = a3 }\n",
        deployment("mode = decode_only; search { limits { tpot <= 1 s } }")
        + "workload chat { input = 3500 tok; output = 1500 tok }\n"
        "study s { workload = chat; deployments = a3 }\n",
    ),
    Rule(
        "E0446",
        "'slo_relax' with another search strategy",
        "Only the strategy linear_exponential uses 'slo_relax'. With another one it would change "
        "nothing. Remove it, or write strategy = linear_exponential.",
        deployment("search { strategy = binary; slo_relax = 3 }"),
        deployment("search { strategy = linear_exponential; slo_relax = 3 }"),
    ),
    Rule(
        "E0447",
        "the software cannot launch a size",
        "Engines do not take every layout. vllm and vllm_ascend have no EP size: experts lie on "
        "all ranks of TP x DP, or each of them is split over these. vllm_ascend has no prefill "
        "context parallelism, mindie has no pipeline stages. Leave the size out, and specc tries "
        "what the engine can launch; or name another engine.",
        deployment(
            "engine { software = vllm_ascend }; parallel { ep = 2 }",
            "model = qwen3_30b_a3b",
            device="atlas_800_a2_376t",
        ),
        deployment(
            "engine { software = vllm_ascend }; parallel { ep = 8 }",
            "model = qwen3_30b_a3b",
            device="atlas_800_a2_376t",
        ),
    ),
    Rule(
        "E0448",
        "engines on a device take more than its memory",
        "'per_device' engines share each device, and 'memory_utilization' is the share that one of "
        "them takes of the whole memory, as it is set in the engine. Together they take no more "
        "than all of it. Without a share the memory is divided evenly.",
        deployment("engine { per_device = 4; memory_utilization = 30% }"),
        deployment("engine { per_device = 4; memory_utilization = 20% }"),
    ),
    Rule(
        "E0449",
        "'per_device' where instances prefill or decode alone",
        "Engines that share devices both prefill and decode. In a mode with instances of two kinds "
        "'per_device' would change nothing.",
        deployment("mode = pd_ratio; fleet { devices = 16 }; engine { per_device = 2 }"),
        deployment("engine { per_device = 2; reserved_memory = 4 GiB }"),
    ),
    Rule(
        "E0450",
        "a setting of decode_first with another way of scheduling",
        "Asynchronous scheduling and 'long_prefill_token_threshold' are simulated as vLLM V1 has them, "
        "in steps of the scheduler decode_first. Other schedulers, and a measured server whose sequences "
        "take turns, would ignore them. Choose decode_first, or remove the setting.",
        deployment("engine { scheduler = prefill_first; async_scheduling = true }"),
        deployment("engine { scheduler = decode_first; async_scheduling = true }"),
    ),
    Rule(
        "E0451",
        "the memory of the engine is given twice",
        "'memory_utilization' is the share of the memory that the engine may use; "
        "'reserved_memory' is "
        "what it must leave free, in bytes. Both set the same limit. Keep one of them.",
        deployment("engine { memory_utilization = 90%; reserved_memory = 4 GiB }"),
        deployment("engine { memory_utilization = 90% }"),
    ),
    Rule(
        "E0452",
        "the smallest batch is larger than the engine allows",
        "'decode_batch' starts above 'max_sequences', the most sequences that the engine runs at "
        "once. "
        "No batch size is left to try. Lower the one or raise the other.",
        deployment("engine { decode_batch = 64 .. 128; max_sequences = 32 }"),
        deployment("engine { decode_batch = 1 .. 128; max_sequences = 32 }"),
    ),
    Rule(
        "E0453",
        "a setting of the step loop, and no scheduler",
        "'step' and 'slack' describe the steps that a scheduler forms. Without 'scheduler', "
        "prompts "
        "that fit the chunk budget are served in closed form, which has no steps. Name a "
        "scheduler, or "
        "remove the setting.",
        deployment("engine { step = overlapped }"),
        deployment("engine { scheduler = decode_first; step = overlapped }"),
    ),
    Rule(
        "E0454",
        "this scheduler has no step loop",
        "'prefill_then_decode' is a scheduler of measured servers in a simulation. The step loop of a "
        "deployment has the other schedulers: see specc explain deployment.engine.scheduler.",
        deployment("engine { scheduler = prefill_then_decode }"),
        deployment("engine { scheduler = decode_first }"),
    ),
    Rule(
        "E0455",
        "the scheduler takes no slack",
        "Only decode_first_with_slack lets a step exceed the chunk budget, by the share 'slack'. "
        "Choose this scheduler, or remove 'slack'.",
        deployment("engine { scheduler = prefill_first; slack = 30% }"),
        deployment("engine { scheduler = decode_first_with_slack; slack = 30% }"),
    ),
    Rule(
        "E0456",
        "the chunk budget is smaller than the smallest batch",
        "In a step, each sequence that decodes takes one token of the chunk budget, and one more "
        "for "
        "each drafted token. This budget cannot hold the smallest batch of 'decode_batch'. Raise "
        "'chunk_budget', or start 'decode_batch' lower.",
        deployment("engine { chunk_budget = 32 tok; decode_batch = 64 .. 128 }"),
        deployment("engine { chunk_budget = 2Ki tok; decode_batch = 64 .. 128 }"),
    ),
    Rule(
        "E0457",
        "a prompt longer than the chunk budget, and a scheduler that does not cut it",
        "vLLM without chunked prefill computes a prompt in one step, and rejects one that is longer than "
        "'chunk_budget' (max_num_batched_tokens). Raise the budget, or choose a scheduler that cuts "
        "prompts into chunks. A simulation counts such prompts of a trace or of sessions as rejected.",
        deployment("engine { scheduler = vllm_v0; chunk_budget = 2Ki tok }") + _CHAT,
        deployment("engine { scheduler = vllm_v0; chunk_budget = 4Ki tok }") + _CHAT,
    ),
    Rule(
        "E0458",
        "a version, and no software",
        "Rules and defaults of engines differ by version, and a version says nothing without the name of "
        "the engine. Write software = vllm_ascend, or the one that you run, beside 'version'.",
        deployment('engine { version = "0.18" }'),
        deployment('engine { software = vllm_ascend; version = "0.18" }'),
    ),
    Rule(
        "E0459",
        "a text that is not a version",
        "A version begins with numbers that are separated by dots, such as 0.18, v0.18.0 or 0.18.0rc1. "
        "Without 'version' the newest one counts that specc knows.",
        deployment('engine { software = vllm_ascend; version = "latest" }'),
        deployment('engine { software = vllm_ascend; version = "0.18.0rc1" }'),
    ),
    Rule(
        "E0461",
        "fewer acceptance rates than drafted tokens",
        "Each drafted token needs its own acceptance rate, because the second one is accepted "
        "less often "
        "than the first. Give as many rates as the largest value of 'tokens'.",
        deployment(
            f"engine {{ speculative {{ tokens = 2; acceptance = [0.7]; {_RATES} }} }}", _DEEPSEEK
        ),
        deployment(
            f"engine {{ speculative {{ tokens = 2; acceptance = [0.7, 0.5]; {_RATES} }} }}",
            _DEEPSEEK,
        ),
    ),
    Rule(
        "E0462",
        "acceptance rates increase",
        "A drafted token counts only if all tokens before it were accepted. The rates are "
        "cumulative, so they cannot increase. If you measured conditional rates, multiply them: "
        "0.7 and 0.8 become 0.7 and "
        "0.56.",
        deployment(f"engine {{ speculative {{ acceptance = [0.5, 0.7]; {_RATES} }} }}", _DEEPSEEK),
        deployment(f"engine {{ speculative {{ acceptance = [0.7, 0.5]; {_RATES} }} }}", _DEEPSEEK),
    ),
    Rule(
        "E0463",
        "speculation without draft layers or a draft model",
        "Tokens are drafted by draft layers of the model (MTP) or by a small draft model. This "
        "model has "
        "no draft layers, and no draft model is named. Write draft = qwen3_0_6b, or remove the "
        "block.",
        deployment(f"engine {{ speculative {{ acceptance = [0.7]; {_RATES} }} }}"),
        deployment(
            f"engine {{ speculative {{ draft = qwen3_0_6b; acceptance = [0.7]; {_RATES} }} }}"
        ),
    ),
    Rule(
        "E0464",
        "the draft model has another vocabulary",
        "A drafted token must be a token of the model that checks it, so both need the same "
        "vocabulary. "
        "Choose a draft model of the same family.",
        deployment(
            f"engine {{ speculative {{ draft = llama3_2_1b; acceptance = [0.7]; {_RATES} }} }}"
        ),
        deployment(
            f"engine {{ speculative {{ draft = qwen3_0_6b; acceptance = [0.7]; {_RATES} }} }}"
        ),
    ),
)
