"""Words of other tools and places: what somebody means who writes them, and how it is said here."""

# By the kind of the block in which they stand; under "" in any block.
WORDS: dict[str, dict[str, str]] = {
    "": {
        "gpus": "write devices = 8 in a deployment",
        "npus": "write devices = 8 in a deployment",
        "num_gpus": "write devices = 8 in a deployment",
        "cards": "write devices = …: on A3 two dies a card, so twice as many",
        "replicas": "write parallel { dp = … }, or fleet { rate = … } for instances",
        "instances": "write fleet { rate = … }; of a simulation simulate { instances = … }",
        "tensor_parallel": "write parallel { tp = … }",
        "pipeline_parallel": "write parallel { pp = … }",
        "expert_parallel": "write parallel { ep = … }",
        "world_size": "write devices = 8 in a deployment",
        "gpu": "write device = … in a deployment; 'specc list devices' shows them",
        "npu": "write device = … in a deployment; 'specc list devices' shows them",
        "price": "a device has it: device mine extends … { price = 14 CNY/h }",
        "cost": "a device has it: device mine extends … { price = 14 CNY/h }",
        "power": "a device has it: device mine extends … { power = 500 W }",
        "objective": "write search { maximize = … } in the deployments",
        "maximize": "write search { maximize = … } in the deployments",
        "rate": "a load stands in the study: simulate { arrival = poisson(12 req/s) }, or "
        "fleet { rate = … } in a deployment",
        "qps": "a load stands in the study: simulate { arrival = poisson(12 req/s) }",
        "request_rate": "a load stands in the study: simulate { arrival = poisson(12 req/s) }",
        "concurrency": "a load stands in the study: simulate { arrival = concurrency(64) }",
        "isl": "write input = … in a workload",
        "osl": "write output = … in a workload",
        "input_len": "write input = … in a workload",
        "output_len": "write output = … in a workload",
        "prompt": "write input = … in a workload",
        "ttft": "a limit stands in a workload: slo { ttft <= 2 s }",
        "tpot": "a limit stands in a workload: slo { tpot <= 50 ms }",
        "batch": "write engine { decode_batch = … }",
        "batch_size": "write engine { decode_batch = … }",
        "max_batch_size": "write engine { max_sequences = … }",
        "max_num_seqs": "write engine { max_sequences = … }",
        "max_num_batched_tokens": "write engine { chunk_budget = … }",
        "max_model_len": "write engine { max_model_length = … }",
        "gpu_memory_utilization": "write engine { memory_utilization = 90% }",
        "mem_fraction_static": "write engine { memory_utilization = 90% }",
        "enable_prefix_caching": "write engine { prefix_caching = true }",
        "num_speculative_tokens": "write engine { speculative { tokens = 1; acceptance = [ … ] } }",
        "tensor_parallel_size": "write parallel { tp = … }",
        "tp_size": "write parallel { tp = … }",
        "pipeline_parallel_size": "write parallel { pp = … }",
        "pp_size": "write parallel { pp = … }",
        "data_parallel_size": "write parallel { dp = … }",
        "dp_size": "write parallel { dp = … }",
        "expert_parallel_size": "write parallel { ep = … }",
        "enable_expert_parallel": "write parallel { ep = … }",
        "ep_size": "write parallel { ep = … }",
        "quantization": "write quant = w8a8_dynamic",
        "dtype": "write quant = …; 'specc explain deployment.quant' shows the formats",
        "kv_cache_dtype": "write formats { kv_cache = … }",
        "backend": "write engine { software = vllm_ascend }",
        "framework": "write engine { software = vllm_ascend }",
        "hardware": "write device = …; 'specc list devices' shows them",
        "sla": "write slo { ttft <= 2 s; tpot <= 50 ms } in a workload",
    },
    "study": {"rate": "write simulate { arrival = poisson(12 req/s) }"},
    "device": {"bandwidth": "write memory_bandwidth = …, or a level with its bandwidth"},
}


def meant_by(word: str, kind: str) -> str:
    """Return how a word of another tool is said in a block of a kind; empty if it is none."""
    own = WORDS.get(kind, {})
    return own.get(word.lower().replace("-", "_")) or WORDS[""].get(
        word.lower().replace("-", "_"), ""
    )
