"""Configurations of families, by the keys that their publishers use: counts, caches and traps.

Sizes are those of published files, or of the class defaults that name a checkpoint; the counts of
parameters beside them are the publishers'. Reference files are read where they are.
"""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from specc import library
from specc.check.huggingface import FAMILIES
from specc.cost.layers import layers_of
from specc.cost.layers.linear import GatedLinearAttention
from specc.cost.models import describe
from specc.cost.site import Site
from specc.ir import Decay, Deployment, Layout, Mamba, Model, StateFormat
from specc.library import LibraryError
from specc.session import Session
from tests.conftest import REFERENCE

TEXT = {"hidden_act": "silu", "max_position_embeddings": 32768, "torch_dtype": "bfloat16"}
GLM_FLASH = {
    **TEXT, "architectures": ["Glm4MoeLiteForCausalLM"], "vocab_size": 154880,
    "hidden_size": 2048, "intermediate_size": 10240, "moe_intermediate_size": 1536,
    "num_hidden_layers": 47, "num_attention_heads": 20, "num_key_value_heads": 20,
    "n_routed_experts": 64, "n_shared_experts": 1, "num_experts_per_tok": 4,
    "first_k_dense_replace": 1, "kv_lora_rank": 512, "q_lora_rank": 768, "qk_nope_head_dim": 192,
    "qk_rope_head_dim": 64, "v_head_dim": 256, "num_nextn_predict_layers": 1,
}  # fmt: skip
LING = {
    **TEXT, "architectures": ["BailingMoeV2ForCausalLM"], "vocab_size": 157184,
    "hidden_size": 2048, "intermediate_size": 5120, "num_hidden_layers": 20,
    "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 128, "num_experts": 256,
    "num_shared_experts": 1, "num_experts_per_tok": 8, "moe_intermediate_size": 512,
    "first_k_dense_replace": 1, "use_qk_norm": True, "score_function": "sigmoid",
    "moe_router_enable_expert_bias": True,
}  # fmt: skip
LING_FLASH_2_6 = {
    **TEXT, "architectures": ["BailingMoeV2_5ForCausalLM"], "vocab_size": 157184,
    "hidden_size": 4096, "intermediate_size": 9216, "num_hidden_layers": 32,
    "num_attention_heads": 32, "head_dim": 128, "num_experts": 256, "num_shared_experts": 1,
    "num_experts_per_tok": 8, "moe_intermediate_size": 1024, "first_k_dense_replace": 1,
    "use_qk_norm": True, "score_function": "sigmoid", "moe_router_enable_expert_bias": True,
    "layer_group_size": 8, "group_norm_size": 4, "kv_lora_rank": 512, "q_lora_rank": 1536,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
}  # fmt: skip
LING_FLASH_3 = {
    **TEXT, "architectures": ["BailingMoeV3ForCausalLM"], "vocab_size": 157184,
    "hidden_size": 2560, "intermediate_size": 6144, "num_hidden_layers": 42,
    "num_attention_heads": 32, "head_dim": 128, "num_experts": 512, "num_shared_experts": 1,
    "num_experts_per_tok": 8, "moe_intermediate_size": 768, "first_k_dense_replace": 2,
    "score_function": "sigmoid", "moe_router_enable_expert_bias": True, "layer_group_size": 6,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "short_conv_kernel_size": 4, "no_kda_lora": True,
}  # fmt: skip
HUNYUAN = {
    **TEXT, "architectures": ["HunYuanMoEV1ForCausalLM"], "vocab_size": 128167,
    "hidden_size": 4096, "intermediate_size": 3072, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "attention_head_dim": 128,
    "num_experts": 64, "moe_topk": [8] * 32, "num_shared_expert": [1] * 32,
    "moe_intermediate_size": [3072] * 32, "use_mixed_mlp_moe": True, "use_qk_norm": True,
    "use_cla": False, "tie_word_embeddings": True,
    "rope_scaling": {"alpha": 1000.0, "factor": 1.0, "type": "dynamic"},
}  # fmt: skip
ERNIE = {
    **TEXT, "architectures": ["Ernie4_5_MoeForCausalLM"], "vocab_size": 103424,
    "hidden_size": 2560, "intermediate_size": 12288, "num_hidden_layers": 28,
    "num_attention_heads": 20, "num_key_value_heads": 4, "head_dim": 128, "moe_num_experts": 64,
    "moe_num_shared_experts": 2, "moe_k": 6, "moe_intermediate_size": 1536,
    "moe_layer_start_index": 1, "moe_layer_end_index": 27, "tie_word_embeddings": True,
}  # fmt: skip
LONGCAT = {
    **TEXT, "architectures": ["LongcatFlashForCausalLM"], "vocab_size": 131072,
    "hidden_size": 6144, "num_layers": 28, "num_attention_heads": 64, "ffn_hidden_size": 12288,
    "expert_ffn_hidden_size": 2048, "n_routed_experts": 512, "zero_expert_num": 256,
    "zero_expert_type": "identity", "moe_topk": 12, "q_lora_rank": 1536, "kv_lora_rank": 512,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
}  # fmt: skip
PANGU_PRO = {
    **TEXT, "architectures": ["PanguProMoEForCausalLM"], "vocab_size": 153376,
    "hidden_size": 5120, "num_hidden_layers": 48, "num_attention_heads": 40,
    "num_key_value_heads": 8, "moe_intermediate_size": 1344,
    "shared_expert_intermediate_size": 5376, "num_experts": 64, "num_experts_per_tok": 8,
}  # fmt: skip
PANGU_ULTRA = {
    **TEXT, "architectures": ["PanguUltraMoEForCausalLM"], "vocab_size": 153600,
    "hidden_size": 7680, "intermediate_size": 18432, "moe_intermediate_size": 2048,
    "num_hidden_layers": 61, "num_attention_heads": 128, "num_dense_layers": 3,
    "num_routed_experts": 256, "num_shared_experts": 1, "num_experts_per_tok": 8,
    "attention_q_lora_dim": 1536, "attention_kv_lora_dim": 512, "attention_qk_dim": 128,
    "attention_qk_rope_dim": 64, "attention_v_dim": 128, "num_mtp_layers": 1,
    "sandwich_norm": True,
}  # fmt: skip
QWEN2_MOE = {
    **TEXT, "architectures": ["Qwen2MoeForCausalLM"], "vocab_size": 151936, "hidden_size": 3584,
    "intermediate_size": 18944, "moe_intermediate_size": 2560, "num_hidden_layers": 28,
    "num_attention_heads": 28, "num_key_value_heads": 4, "num_experts": 64,
    "num_experts_per_tok": 8, "shared_expert_intermediate_size": 20480,
}  # fmt: skip
QWEN_VL = {
    **TEXT, "architectures": ["Qwen2_5_VLForConditionalGeneration"], "vocab_size": 152064,
    "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
    "num_attention_heads": 28, "num_key_value_heads": 4,
    "vision_config": {
        "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
        "in_chans": 3, "out_hidden_size": 3584, "patch_size": 14, "spatial_merge_size": 2,
        "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31], "temporal_patch_size": 2,
    },
}  # fmt: skip
OMNI = {
    "architectures": ["Qwen3OmniMoeForConditionalGeneration"], "dtype": "bfloat16",
    "talker_config": {"text_config": {}},
    "thinker_config": {
        "text_config": {
            "hidden_act": "silu", "max_position_embeddings": 65536, "vocab_size": 152064,
            "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32,
            "num_key_value_heads": 4, "head_dim": 128, "num_experts": 128,
            "num_experts_per_tok": 8, "moe_intermediate_size": 768,
        },
        "vision_config": {
            "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16,
            "in_channels": 3, "out_hidden_size": 2048, "patch_size": 16, "spatial_merge_size": 2,
            "temporal_patch_size": 2, "num_position_embeddings": 2304,
            "deepstack_visual_indexes": [8, 16, 24],
        },
        "audio_config": {
            "d_model": 1280, "encoder_ffn_dim": 5120, "encoder_layers": 32, "num_mel_bins": 128,
            "output_dim": 2048, "downsample_hidden_size": 480,
        },
    },
}  # fmt: skip
INTERN = {
    "architectures": ["InternVLChatModel"], "torch_dtype": "bfloat16", "downsample_ratio": 0.5,
    "llm_config": {
        "architectures": ["Qwen3ForCausalLM"], "hidden_act": "silu", "vocab_size": 151936,
        "max_position_embeddings": 40960, "hidden_size": 5120, "intermediate_size": 25600,
        "num_hidden_layers": 64, "num_attention_heads": 64, "num_key_value_heads": 8,
        "head_dim": 128,
    },
    "vision_config": {
        "hidden_size": 3200, "intermediate_size": 12800, "num_hidden_layers": 45,
        "num_attention_heads": 25, "patch_size": 14, "image_size": 448, "qkv_bias": False,
        "qk_normalization": True, "norm_type": "rms_norm",
    },
}  # fmt: skip
GEMMA_3 = {
    "architectures": ["Gemma3ForConditionalGeneration"], "torch_dtype": "bfloat16",
    "text_config": {
        "hidden_size": 5376, "intermediate_size": 21504, "num_attention_heads": 32,
        "num_hidden_layers": 62, "num_key_value_heads": 16, "head_dim": 128,
        "sliding_window": 1024, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    },
    "vision_config": {
        "hidden_size": 1152, "image_size": 896, "intermediate_size": 4304,
        "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14,
    },
}  # fmt: skip

# Total and active parameters in billions, KV bytes of a token in bf16, state bytes of a sequence.
PUBLISHED: dict[str, tuple[dict[str, Any], float, float, float, float]] = {
    "GLM-4.7-Flash": (GLM_FLASH, 29.94, 3.26, 47 * 576 * 2, 0),
    "Ling-mini-2.0": (LING, 16.26, 1.43, 20 * 2 * 4 * 128 * 2, 0),
    "Ling-2.6-flash": (LING_FLASH_2_6, 104, 7.4, 4 * 576 * 2, 28 * 32 * 128 * 128 * 4),
    "Ling-3.0-flash": (
        LING_FLASH_3, 124, 5.1, 7 * 576 * 2,
        35 * (32 * 128 * 128 * 4 + 3 * 3 * 32 * 128 * 2),
    ),
    "Hunyuan-A13B": (HUNYUAN, 80.4, 12.75, 32 * 2 * 8 * 128 * 2, 0),
    "ERNIE-4.5-21B-A3B": (ERNIE, 21.8, 3.35, 28 * 2 * 4 * 128 * 2, 0),
    "LongCat-Flash": (LONGCAT, 560.7, 27.1, 56 * 576 * 2, 0),
    "Pangu-Pro-MoE": (PANGU_PRO, 71.99, 16.5, 48 * 2 * 8 * 128 * 2, 0),
    "openPangu-Ultra-MoE": (PANGU_ULTRA, 719, 39.2, 61 * 576 * 2, 0),
    "Qwen2-57B-A14B": (QWEN2_MOE, 57.4, 14.2, 28 * 2 * 4 * 128 * 2, 0),
    "Qwen2.5-VL-7B": (QWEN_VL, 8.292, 7.616, 28 * 2 * 4 * 128 * 2, 0),
    "Qwen3-Omni": (OMNI, 31.72, 3.35, 48 * 2 * 4 * 128 * 2, 0),
    "InternVL3.5-38B": (INTERN, 38.4, 32.8, 64 * 2 * 8 * 128 * 2, 0),
    "Gemma-3-27B": (GEMMA_3, 27.43, 27.0, 10 * 2 * 16 * 128 * 2, 0),
}  # fmt: skip


def site_of(model: Model) -> Site:
    device = library.device("atlas_800_a3_752t_die")
    return Site.of(Deployment(model=model, device=device, devices=1), Layout(1, 1, 1))


def model_of(folder: Path, config: dict[str, Any]) -> Model:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return library.model_from_config(path)


@pytest.mark.parametrize("name", PUBLISHED)
def test_families_count_and_cache_as_published(name: str, tmp_path: Path) -> None:
    config, total, active, cached, state = PUBLISHED[name]
    model = model_of(tmp_path, config)
    assert model.parameters / 1e9 == pytest.approx(total, rel=0.01)
    assert model.active_parameters / 1e9 == pytest.approx(active, rel=0.01)
    facts = describe(model)
    assert facts["kv_bytes_per_token"] == cached
    assert facts["state_bytes_per_sequence"] == state


# The same of the files of the reference: published or counted from the weights of the checkpoint.
FILES = {
    "MiMo-7B-Base": (7.62, 7.62, 36 * 2 * 8 * 128 * 2, 0),
    "Step-3.7-Flash-FP8": (196.96, 10.93, 12 * 2 * 8 * 128 * 2, 0),
    "MiniMax-M3-NVFP4": (427.0, 23.5, 60 * 2 * 4 * 128 * 2 + 57 * 128 * 2, 0),
    "Llama-4-Maverick-17B-128E-Instruct": (400.7, 17.2, 12 * 2 * 8 * 128 * 2, 0),
    "Gemma-4-31B-IT-NVFP4": (31.27, 30.7, 10 * 2 * 4 * 512 * 2, 0),
    "Kimi-K3": (2780, 104.2, 24 * 576 * 2, 449_372_160),
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": (31.58, 3.23, 6 * 2 * 2 * 128 * 2, 49_082_368),
    "NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16": (549.3, 55.0, 12 * 2 * 2 * 128 * 2, 407_961_600),
    "Llama-3_3-Nemotron-Super-49B-v1": (49.87, 49.87, 49 * 2 * 8 * 128 * 2, 0),
    "Kimi-K2.6-NVFP4": (1026.9, 31.7, 61 * 576 * 2, 0),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_the_reference_count_as_published(name: str) -> None:
    path = REFERENCE / "model_configs" / f"{name}.json"
    if not path.is_file():
        pytest.skip("the published configurations are not here")
    model = library.model_from_config(path)
    total, active, cached, state = FILES[name]
    assert model.parameters / 1e9 == pytest.approx(total, rel=0.01)
    assert model.active_parameters / 1e9 == pytest.approx(active, rel=0.01)
    facts = describe(model)
    assert facts["kv_bytes_per_token"] == cached
    assert facts["state_bytes_per_sequence"] == state


def test_every_file_of_the_reference_is_read() -> None:
    paths = sorted((REFERENCE / "model_configs").glob("*.json"))
    if not paths:
        pytest.skip("the published configurations are not here")
    assert len(paths) >= 35
    for path in paths:
        assert library.model_from_config(path).parameters > 1e9, path.name


def test_encoders_are_counted(tmp_path: Path) -> None:
    """By the classes of vLLM: 676.55 M of Qwen2.5-VL, 647.9 M of audio, 5.54 B of InternViT."""
    encoder = model_of(tmp_path, QWEN_VL).vision
    assert encoder is not None
    assert encoder.parameters(3584) == pytest.approx(676.55e6, rel=0.001)
    assert (encoder.window, encoder.whole_layers) == (64, 4)
    assert model_of(tmp_path, OMNI).other_parameters == pytest.approx(647.927e6, rel=0.001)
    projection = 12800 * 5120 + 5120 * 5120
    intern = model_of(tmp_path, INTERN).other_parameters
    assert intern == pytest.approx(5.5365e9 + projection, rel=0.0005)
    siglip = model_of(tmp_path, GEMMA_3).other_parameters
    assert siglip == pytest.approx(416.866e6 + 6.194e6, rel=0.001)
    moon = library.model("kimi_k2_5").vision
    assert moon.parameters(7168) == pytest.approx(416.866e6 + 54.278e6, rel=0.001)
    moon = library.model("kimi_k3").vision
    assert moon.parameters(7168) == pytest.approx(401.214e6 + 46.145e6, rel=0.002)


GEMMA_4_E2B = {
    "architectures": ["Gemma4ForCausalLM"], "dtype": "bfloat16", "vocab_size": 262144,
    "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 131072,
    "hidden_size": 1536, "intermediate_size": 6144, "num_hidden_layers": 35,
    "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256, "global_head_dim": 512,
    "sliding_window": 512, "num_kv_shared_layers": 20, "use_double_wide_mlp": True,
    "hidden_size_per_layer_input": 256,
    "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 7,
}  # fmt: skip


def test_layers_that_share_a_cache_and_have_embeddings_of_their_own(tmp_path: Path) -> None:
    """Gemma 4 E2B: the last 20 of 35 layers share; 2.3 B weights beside embeddings of layers."""
    model = model_of(tmp_path, GEMMA_4_E2B)
    assert (model.sharing_layers, model.sliding.sharing_layers) == (4, 16)
    facts = describe(model)
    assert facts["kv_bytes_per_token"] == 3 * 2 * 1 * 512 * 2
    assert facts["window_bytes_per_sequence"] == 12 * 5 * 128 * 2 * 1 * 256 * 2
    assert sorted(set(model.mlp_widths)) == [6144, 12288]
    tables = 262144 * 35 * 256
    assert model.parameters - model.active_parameters == tables
    assert model.active_parameters / 1e9 == pytest.approx(2.28, abs=0.02)
    names = {op.name for part in layers_of(model) for op in part.operators(site_of(model))}
    assert {"sharing_qkv", "sharing_sliding_qkv", "layer_embedding"} <= names
    assert "sharing_kv_write" not in names


def test_kinds_of_linear_attention(tmp_path: Path) -> None:
    """Ling 2.5: every eighth layer is full; Ling 3: also those behind the last whole group."""
    lightning = model_of(tmp_path, LING_FLASH_2_6)
    assert (lightning.linear.layers, lightning.full_layers) == (28, 4)
    assert lightning.linear.decay is Decay.FIXED
    (part,) = layers_of(lightning, (GatedLinearAttention,))
    assert part.tensor_problem(4) == ""
    refused = "TP = 8 does not divide 4 groups of the norm of linear attention"
    assert part.tensor_problem(8) == refused
    delta = model_of(tmp_path, {**LING_FLASH_3, "num_hidden_layers": 45})
    assert (delta.linear.layers, delta.full_layers) == (35, 10)
    assert delta.linear.decay is Decay.CHANNEL


@pytest.mark.parametrize(
    ("config", "change", "said"),
    [
        (LING, {"architectures": ["BailingMoeV9ForCausalLM"]}, "is not supported"),
        (LING, {"vision_config": {"depth": 2}}, "has an encoder that specc cannot count"),
        (LING, {"audio_config": {"d": 2}, "vision_config": {"d": 2}}, '"audio_config"'),
        (HUNYUAN, {"moe_topk": [8] * 31 + [4]}, "'moe_topk' of 'config.json' is not the same"),
        (HUNYUAN, {"use_cla": True}, "sets use_cla = True"),
        (ERNIE, {"moe_layer_interval": 2}, "sets moe_layer_interval = 2"),
        (LONGCAT, {"zero_expert_type": "copy"}, "zero_expert_type"),
        (LONGCAT, {"num_hidden_layers": 28}, "'twice num_layers' says 56"),
        (PANGU_ULTRA, {"q_lora_rank": 512}, "'attention_q_lora_dim' says 1536"),
        (LING_FLASH_3, {"no_kda_lora": False}, "no_kda_lora"),
        (INTERN, {"llm_config": {"architectures": ["Falcon"]}}, "'Falcon' of"),
        (INTERN, {"llm_config": {}}, "does not name one architecture"),
        (QWEN2_MOE, {"qkv_bias": False}, "sets qkv_bias = False"),
        (QWEN_VL, {"use_mrope": True}, "sets use_mrope = True"),
    ],
)
def test_what_is_not_known_of_a_family_is_refused(config, change, said, tmp_path: Path) -> None:
    with pytest.raises(LibraryError) as found:
        model_of(tmp_path, {**config, **change})
    assert said in str(found.value)


def test_other_spellings_say_the_same(tmp_path: Path) -> None:
    """openPangu names sizes in its own way, others as DeepSeek does."""
    names = {
        "num_dense_layers": "first_k_dense_replace", "num_routed_experts": "n_routed_experts",
        "num_shared_experts": "n_shared_experts", "num_mtp_layers": "num_nextn_predict_layers",
        "attention_q_lora_dim": "q_lora_rank", "attention_kv_lora_dim": "kv_lora_rank",
        "attention_qk_dim": "qk_nope_head_dim", "attention_qk_rope_dim": "qk_rope_head_dim",
        "attention_v_dim": "v_head_dim",
    }  # fmt: skip
    usual = {names.get(key, key): value for key, value in PANGU_ULTRA.items()}
    assert model_of(tmp_path, usual) == model_of(tmp_path, PANGU_ULTRA)


def test_twins_of_text_and_vision_have_one_decoder() -> None:
    pairs = (
        ("Qwen3_5ForCausalLM", "Qwen3_5ForConditionalGeneration"),
        ("Qwen3_5MoeForCausalLM", "Qwen3_5MoeForConditionalGeneration"),
        ("MiMoV2ForCausalLM", "MiMoV2FlashForCausalLM"),
        ("DeepseekV4ForCausalLM", "DeepseekV4ForConditionalGeneration"),
        ("MiniMaxM3SparseForCausalLM", "MiniMaxM3SparseForConditionalGeneration"),
    )
    for one, other in pairs:
        assert FAMILIES[one].read is FAMILIES[other].read


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ("mlp_layers = 100", "E0422", "100 layers have an MLP, but there are 36"),
        ("mlp_widths = [4096, 0]", "E0422", "lists 2 layers, and the model has 36"),
        (f"mlp_widths = [{', '.join(['12288'] * 35)}, -1]", "E0422", "no whole number"),
        (f"mlp_widths = [{', '.join(['12288'] * 35)}, 0.5]", "E0422", "no whole number"),
        (f"mlp_widths = [{', '.join(['4096'] * 36)}]", "E0422", "no layer of 'intermediate_size'"),
        (
            f"mlp_layers = 5; mlp_widths = [{', '.join(['12288'] * 36)}]",
            "E0422",
            "'mlp_widths' has 36 layers with an MLP, 'mlp_layers' 5",
        ),
        ("attention_layers = 40", "E0422", "more layers are described than the 36"),
        (
            "mamba { layers = 37; heads = 8; head_dim = 64; groups = 1; state = 16; "
            "convolution = 4 }",
            "E0422",
            "more layers are described than the 36",
        ),
        (
            "intermediate_size = 0; draft_layers = 1; draft_dense = true\n"
            "experts { layers = 36; count = 8; active = 2; intermediate_size = 512 }",
            "E0424",
            "1 dense layers have no MLP width",
        ),
        (
            "experts { layers = 36; count = 4; active = 9; intermediate_size = 512; "
            "identities = 4 }",
            "E0425",
            "a token cannot use 9 of 8 experts",
        ),
    ],
)
def test_blocks_that_contradict_themselves(fields, code, said, tmp_path: Path) -> None:
    plan = tmp_path / "plan.spec"
    plan.write_text(
        f"use std.devices\nuse std.models\nmodel mine extends qwen3_8b {{\n{fields}\n}}\n"
        "workload w { input = 1Ki tok; output = 8 tok }\n"
        "deployment d { model = mine; device = h200; devices = 1 }\n"
        "study s { workload = w; deployments = d }\n"
    )
    found = [d for d in Session(plan).diagnostics if d.is_error]
    assert [d.code for d in found] == [code]
    assert said in found[0].message


def test_images_of_a_model_whose_encoder_only_counts(tmp_path: Path) -> None:
    plan = tmp_path / "plan.spec"
    plan.write_text(
        "use std.devices\nuse std.models\n"
        "workload w { input = 1Ki tok; output = 8 tok; "
        "images { count = 1; height = 448; width = 448 } }\n"
        "deployment d { model = gemma_4_31b; device = h200; devices = 2 }\n"
        "study s { workload = w; deployments = d }\n"
    )
    (found,) = [d for d in Session(plan).diagnostics if d.is_error]
    assert found.code == "E0474"
    assert "what images cost on 'gemma_4_31b' is not known" in found.message
    assert "counts in memory" in found.why


@pytest.mark.parametrize(
    ("kinds", "fits"),
    [
        ((["chunked_attention"] * 3 + ["full_attention"]) * 12, True),
        (["full_attention"] * 48, False),
        (["sliding_attention"] * 48, False),
    ],
)
def test_kinds_of_layers_of_llama_4(kinds, fits, tmp_path: Path) -> None:
    config = {
        **TEXT, "architectures": ["Llama4ForCausalLM"], "vocab_size": 202048, "hidden_size": 5120,
        "intermediate_size": 8192, "intermediate_size_mlp": 16384, "num_hidden_layers": 48,
        "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128,
        "attention_chunk_size": 8192, "num_local_experts": 16, "num_experts_per_tok": 1,
        "layer_types": kinds,
    }  # fmt: skip
    if fits:
        assert model_of(tmp_path, config).full_layers == 12
    else:
        with pytest.raises(LibraryError):
            model_of(tmp_path, config)


def test_states_are_of_the_type_of_the_model_where_a_file_is_silent() -> None:
    """Qwen3-Next has no `mamba_ssm_dtype`, Qwen3.5 says float32."""
    assert library.model("qwen3_next_80b_a3b").linear.state is StateFormat.MODEL
    assert library.model("qwen3_5_35b_a3b").linear.state is StateFormat.FP32


def test_a_single_group_of_states_is_on_every_rank() -> None:
    mamba = Mamba(layers=1, heads=8, head_dim=64, groups=1, state=16, convolution=4)
    assert mamba.on_rank(4).convolved_width == 2 * 64 + 2 * 16
    several = attrs.evolve(mamba, groups=8)
    assert several.on_rank(4).projected_width * 4 == several.projected_width
