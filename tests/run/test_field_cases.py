"""Questions that people asked in the trackers of engines, with what is right.

The sources stand in each test; plans and files are written anew.
"""

import json
from pathlib import Path

import pytest

from specc.ir import Quantisation
from specc.session import Session

LIBRARY = "use std.devices\nuse std.models\n"


def session(folder: Path, text: str) -> Session:
    path = folder / "plan.spec"
    path.write_text(LIBRARY + text)
    return Session(path)


def test_a_model_that_a_small_card_cannot_hold(tmp_path: Path) -> None:
    """vllm-ascend 9372: 27.54 GiB of weights, and −0.87 GiB for the cache of a 32 GB card."""
    found = session(
        tmp_path,
        "workload w { input = 2Ki tok; output = 2Ki tok }\n"
        "deployment d { model = qwen3_14b; quant = bf16; device = atlas_800_a2_280t_32g_pcie\n"
        "    devices = 1; engine { memory_utilization = 90%; max_model_length = 4096 tok } }\n"
        "study s { workload = w; deployments = d }\n",
    ).results.studies[0]
    assert found.best is None
    (candidate,) = found.candidates
    memory = candidate.instance.point.memory
    assert memory.weights / 2**30 == pytest.approx(27.54, rel=0.005)
    assert [miss.limit for miss in candidate.misses] == ["memory"]
    assert memory.cache_tokens == 0


def test_an_engine_that_does_not_start_with_its_limit(tmp_path: Path) -> None:
    """vllm 34076, 27508, 16118: one request of `max_model_length` must fit the cache.

    Qwen3-32B in bf16 on two devices has 128 KiB a token on each. Of 55 % of 60.96 GiB its weights
    leave less than 3 GiB, and 40,960 tokens need 5.
    """
    plan = (
        "workload w {{ input = 1Ki tok; output = 256 tok }}\n"
        "deployment d {{ model = qwen3_32b; quant = bf16; device = atlas_800_a2_376t; devices = 2\n"
        "    parallel {{ tp = 2 }}\n"
        "    engine {{ memory_utilization = 55%; max_model_length = {limit} tok\n"
        "        max_sequences = 16 }}\n"
        "}}\n"
        "study s {{ workload = w; deployments = d }}\n"
    )
    found = session(tmp_path, plan.format(limit=40_960)).results.studies[0]
    assert found.best is None
    (miss,) = found.candidates[0].misses
    assert (miss.limit, miss.value) == ("max_model_length", 40_960)
    memory = found.candidates[0].instance.point.memory
    left = 0.55 * 60.96 - (memory.weights + memory.activations) / 2**30
    assert 0.9 * left < miss.allowed * 128 / 2**20 < left  # a step of the whole budget takes more
    # With what it says to hold it starts.
    best = session(tmp_path, plan.format(limit=int(miss.allowed))).results.studies[0].best
    assert best is not None
    assert best.instances[0].memory.longest_request >= 20_000


@pytest.mark.parametrize("calibration", ["reference", "calibrated"])
def test_only_engines_see_less_than_the_nameplate(tmp_path: Path, calibration: str) -> None:
    found = session(
        tmp_path,
        "workload w { input = 1Ki tok; output = 256 tok }\n"
        "deployment d { model = qwen3_8b; device = atlas_800_a2_376t; devices = 1\n"
        f"    calibration = {calibration}; engine {{ memory_utilization = 100% }} }}\n"
        "study s { workload = w; deployments = d }\n",
    ).results.studies[0]
    memory = found.candidates[0].instance.point.memory
    used = memory.weights + memory.kv_cache + memory.activations + memory.available
    seen = 64.0 if calibration == "reference" else 60.96
    assert used / 2**30 == pytest.approx(seen, rel=1e-6)


@pytest.mark.parametrize("size", ["60.97 GiB", "29.49 GiB", "9.6 GiB", "2.5 GiB"])
def test_memory_with_decimals(tmp_path: Path, size: str) -> None:
    """Sizes as logs print them (vllm-ascend 1127, 1987, 5020) are no whole number of bytes."""
    found = session(
        tmp_path,
        f"device seen extends atlas_800_a2_376t {{ memory = {size}; visible_memory = {size} }}\n"
        "workload w { input = 1Ki tok; output = 256 tok }\n"
        "deployment d { model = qwen3_0_6b; device = seen; devices = 1\n"
        "    engine { reserved_memory = 0.1 GiB } }\n"
        "study s { workload = w; deployments = d }\n",
    )
    assert not errors(found)
    device = found.document.studies[0].deployments[0].device
    assert device.memory == round(float(size.split(maxsplit=1)[0]) * 2**30)


def test_another_memory_is_seen_whole(tmp_path: Path) -> None:
    """A device with a memory of its own does not show what its base does."""
    text = (
        "device small extends atlas_800_a2_376t { memory = 32 GiB }\n"
        "workload w { input = 1Ki tok; output = 256 tok }\n"
        "deployment d { model = qwen3_8b; device = small; devices = 1 }\n"
        "study s { workload = w; deployments = d }\n"
    )
    (deployment,) = session(tmp_path, text).document.studies[0].deployments
    assert deployment.memory == 32 * 2**30
    wrong = text.replace("memory = 32 GiB", "memory = 32 GiB; visible_memory = 33 GiB")
    assert errors(session(tmp_path, wrong)) == {"E0402"}


def test_a_trace_of_burstgpt_with_failed_calls(tmp_path: Path) -> None:
    """HPMLL/BurstGPT: its failed calls have no response tokens."""
    rows = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    rows += "5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,230,1317,Conversation log\n"
    rows += "118,GPT-4,417,276,693,Conversation log\n120,GPT-4,300,0,300,Conversation log\n"
    (tmp_path / "burst.csv").write_text(rows)
    (study,) = session(
        tmp_path,
        'workload w { requests = lengths_from("burst.csv", bins = 2) }\n'
        "deployment d { model = qwen3_8b; device = atlas_800_a2_376t; devices = 1 }\n"
        'study s { workload = w; deployments = d; simulate { arrival = trace("burst.csv") } }\n',
    ).document.studies
    trace = study.simulate.arrival.trace
    assert (trace.requests, trace.omitted) == (3, 1)
    assert list(trace.output) == [18, 230, 276]
    assert sum(row.share for row in study.workload.requests) == 3


CONFIG = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "torch_dtype": "bfloat16",
    "norm_topk_prob": True,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}
FP4 = {"num_bits": 4, "type": "float", "group_size": 16, "dynamic": False}
INT8 = {"num_bits": 8, "type": "int", "dynamic": True}
INT4 = {"num_bits": 4, "type": "int", "dynamic": True}
FP6 = {"num_bits": 6, "type": "float"}


def packed(weights, inputs=None):
    group = {"weights": weights, "input_activations": inputs}
    method = {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}
    return {"quantization_config": method}


DESCRIBED = {
    "model_quant_type": "W8A8_DYNAMIC",
    "model.embed_tokens.weight": "FLOAT",
    "model.layers.0.self_attn.q_proj.weight": "W8A8",
    "model.layers.0.self_attn.o_proj.weight": "W8A8",
    "model.layers.0.mlp.experts.0.gate_proj.weight": "W4A8_DYNAMIC",
    "model.layers.0.mlp.experts.0.gate_proj.weight_scale": "W4A8_DYNAMIC",
    "lm_head.weight": "FLOAT",
}
Q = Quantisation


@pytest.mark.parametrize(
    ("config", "beside", "expected"),
    [
        ({}, {}, (Q.BF16, Q.BF16, Q.BF16)),
        ({"quantize": "w8a8"}, {}, (Q.W8A8, Q.W8A8, Q.W8A8)),
        ({"quantize": "w4a8_dynamic"}, {}, (Q.W4A8, Q.W4A8, Q.W4A8)),
        ({}, {"quant_model_description.json": DESCRIBED}, (Q.W8A8, Q.W8A8, Q.W4A8)),
        (
            {"quantization_config": {"quant_method": "ascend"}},
            {"quant_model_description.json": DESCRIBED},
            (Q.W8A8, Q.W8A8, Q.W4A8),
        ),
        (
            {},
            {"hf_quant_config.json": {"quantization": {"quant_algo": "NVFP4"}}},
            (Q.NVFP4, Q.NVFP4, Q.NVFP4),
        ),
        (
            {"quantization_config": {"quant_algo": "FP8"}},
            {},
            (Q.FP8, Q.FP8, Q.FP8),
        ),
        (
            {
                "quantization_config": {
                    "quant_method": "modelopt",
                    "quant_algo": "NVFP4",
                    "ignore": ["lm_head", "model.layers.0.self_attn*"],
                }
            },
            {},
            (Q.NVFP4, Q.BF16, Q.NVFP4),
        ),
        (
            {
                "quantization_config": {
                    "quant_method": "compressed-tensors",
                    "config_groups": {"group_0": {"weights": FP4, "input_activations": FP4}},
                    "ignore": ["re:.*self_attn.*", "lm_head"],
                }
            },
            {},
            (Q.NVFP4, Q.BF16, Q.NVFP4),
        ),
        (packed(INT8, INT8), {}, (Q.W8A8_DYNAMIC, Q.W8A8_DYNAMIC, Q.W8A8_DYNAMIC)),
        (packed(INT4, INT8), {}, (Q.W4A8, Q.W4A8, Q.W4A8)),
        (packed(INT4, INT4), {}, (Q.W4A4, Q.W4A4, Q.W4A4)),
        (packed(INT4), {}, (Q.W4A16, Q.W4A16, Q.W4A16)),
        (
            {"quantization_config": {"quant_method": "awq", "bits": 4}},
            {},
            (Q.W4A16, Q.W4A16, Q.W4A16),
        ),
        (
            {"quantization_config": {"quant_method": "fp8", "moe_quant_algo": "NVFP4"}},
            {},
            (Q.FP8, Q.FP8, Q.NVFP4),
        ),
    ],
)
def test_formats_of_checkpoints(tmp_path: Path, config, beside, expected) -> None:
    """Wherever they stand: MindIE, msModelSlim, modelopt, compressed tensors, gptq and awq."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | config))
    for name, content in beside.items():
        (tmp_path / name).write_text(json.dumps(content))
    found = planned(tmp_path, 'model mine { config = "config.json" }')
    (deployment,) = found.document.studies[0].deployments
    formats = (deployment.usual_format, deployment.attention_format, deployment.expert_format)
    assert formats == expected


def errors(found: Session) -> set[str]:
    return {d.code for d in found.diagnostics if d.is_error}


def planned(folder: Path, model: str) -> Session:
    return session(
        folder,
        f"{model}\nworkload w {{ input = 1Ki tok; output = 256 tok }}\n"
        "deployment d { model = mine; device = h200; devices = 8 }\n"
        "study s { workload = w; deployments = d }\n",
    )


@pytest.mark.parametrize(
    "config",
    [
        {"quantize": "w8a8sc"},
        {"quantization_config": {"quant_method": "ascend"}},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"quantization_config": {}},
        {"quantization_config": {"quant_method": "gptq", "bits": 3}},
        {"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP7"}},
        {"torch_dtype": "float8_e5m2"},
        packed(FP6),
        packed(INT8, INT4),
    ],
)
def test_unknown_formats_are_errors_unless_the_block_decides(tmp_path: Path, config) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | config))
    found = planned(tmp_path, 'model mine { config = "config.json" }')
    assert errors(found) == {"E0004"}
    own = planned(tmp_path, 'model mine { config = "config.json"; weights = w4a16 }')
    assert not errors(own)
    assert own.document.studies[0].deployments[0].usual_format is Q.W4A16


def test_an_architecture_beside_the_file_decides(tmp_path: Path) -> None:
    """A family that is built as a known one (field case odd-architecture)."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"architectures": ["OtherMoe"]}))
    refused = planned(tmp_path, 'model mine { config = "config.json" }')
    assert errors(refused) == {"E0004"}
    text = 'model mine { config = "config.json"; architecture = "Qwen3MoeForCausalLM" }'
    found = planned(tmp_path, text)
    assert not errors(found)
    assert found.document.studies[0].deployments[0].model.experts.count == 128


FOUR_SERVERS = """workload probe {{ input = {prompt} tok; output = 1Ki tok }}
deployment four {{
    model = glm_5; quant = bf16; device = atlas_800_a2_376t; devices = {devices}
    parallel {{ tp = 8; ep = {devices} }}
    experts {{ redundant = {copies} }}
    engine {{ memory_utilization = 95%; chunk_budget = 4Ki tok }}
}}
study context {{ workload = probe; deployments = four; simulate = none }}
"""


@pytest.mark.parametrize(
    ("devices", "copies", "prompt", "fits"),
    [(32, 0, "19Ki", True), (32, 0, "63Ki", False), (40, 24, "19Ki", True), (40, 24, "63Ki", True)],
)
def test_a_model_in_bf16_on_four_servers(tmp_path, devices, copies, prompt, fits) -> None:
    """Field case bf16-on-four-servers: about 20K of context; a fifth server holds 64K."""
    text = FOUR_SERVERS.format(devices=devices, copies=copies, prompt=prompt)
    study = session(tmp_path, text).results.studies[0]
    assert (study.best is not None) is fits
    if not fits:
        assert [miss.limit for miss in study.candidates[0].misses] == ["memory"]
    elif devices == 32:
        assert study.best.instances[0].point.batch == 1


def test_r1_on_eight_servers(tmp_path: Path) -> None:
    """Field case pd-r1-eight-a2: eight prompts at a time, by closed form.

    Measured: TTFT 1.83 s (MindIE) and 3.68 s (vLLM-Ascend), TPOT 31 and 42.2 ms.
    """
    found = session(
        tmp_path,
        """workload w { input = 7Ki tok; output = 2Ki tok }
deployment pd {
    model = deepseek_v3; quant = w8a8_dynamic; device = atlas_800_a2_376t; mode = disaggregated
    prefill { devices = 32; parallel { tp = 8; ep = 32 }; engine { decode_batch = 1 .. 2 } }
    decode { devices = 32; parallel { tp = 1; ep = 32 }; engine { decode_batch = 1 } }
}
study s { workload = w; deployments = pd; simulate = none }
""",
    )
    best = found.results.studies[0].best
    assert 1.6 <= best.ttft <= 3.7
    assert 0.029 <= best.tpot <= 0.046
