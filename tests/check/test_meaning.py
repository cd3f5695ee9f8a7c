"""What a valid spec means: values, units, inheritance, modules, models and devices."""

import json
from pathlib import Path

import pytest

from specc.check import check
from specc.ir import Deployment, Document, Model, Objective, Quantisation, Topology
from specc.ir.json import to_json
from specc.workspace import Workspace
from tests.conftest import ROOT


def _only(document: Document | None) -> Deployment:
    assert document is not None
    return document.studies[0].deployments[0]


def test_values_units_and_defaults(checked, small_spec) -> None:
    document, diagnostics = checked(
        small_spec(
            "ttft <= 1500 ms; tpot < 0.05 s",
            "engine { chunk_budget = 8Ki tok; decode_batch = 64 }\n"
            "search { strategy = linear_exponential; slo_relax = 2 }",
        )
    )
    assert diagnostics == []
    workload = document.studies[0].workload
    assert (workload.slo.ttft, workload.slo.tpot) == (1.5, 0.05)
    deployment = _only(document)
    assert deployment.engine.chunk_budget == 8192
    assert deployment.engine.decode_batch == (1, 64)
    assert deployment.engine.reserved_memory is None
    assert deployment.parallel.pp == (1,)
    assert deployment.objective is Objective.THROUGHPUT


def test_sizes_as_one_number_list_range_and_auto(checked, small_spec) -> None:
    for text, wanted in (
        ("4", (4,)),
        ("[8, 1, 8]", (1, 8)),
        ("1 .. 4", (1, 2, 3, 4)),
        ("1 .. 8 by *2", (1, 2, 4, 8)),
        ("2 .. 8 by 3", (2, 5, 8)),
        ("auto", None),
    ):
        document, _ = checked(small_spec().replace("[1, 2, 4, 8]", text))
        assert _only(document).parallel.tp == wanted


def test_extends_overrides_field_by_field_and_keeps_the_rest(checked) -> None:
    document, diagnostics = checked(
        """
        use std.devices
        use std.models
        let nodes = 2
        workload w { input = 100 tok; output = 10 tok }
        ## the base
        deployment base {
            model = qwen3_8b; device = test_device; devices = 8 * nodes
            engine { reserved_memory = 4 GiB; decode_batch = 1 .. 64 }
        }
        deployment derived extends base { engine.reserved_memory = 6 GiB; quant = w8a8_dynamic }
        study s { workload = w; deployments = [derived, base] }
        """
    )
    assert diagnostics == []
    derived, base = document.studies[0].deployments
    assert (derived.devices, derived.engine.decode_batch) == (16, (1, 64))
    assert (derived.engine.reserved_memory, base.engine.reserved_memory) == (6 * 2**30, 4 * 2**30)
    assert (derived.quant, base.quant) == (Quantisation.W8A8_DYNAMIC, None)
    assert (derived.doc, base.doc) == ("", "the base")


def test_modules_with_and_without_an_alias(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "common.spec").write_text(
        "let nodes = 3\nworkload chat { input = 100 tok; output = 10 tok }\n"
    )
    (tmp_path / "plan.spec").write_text(
        """
        use std.devices as lib
        use std.models
        use "shared/common.spec" as common
        deployment d { model = Qwen3_8b; device = lib.TEST_DEVICE; devices = common.nodes + 1 }
        study s { workload = common.chat; deployments = [d] }
        """.replace("Qwen3_8b", "qwen3_8b")
    )
    workspace = Workspace(tmp_path)
    document, diagnostics = check(workspace, tmp_path / "plan.spec")
    assert diagnostics == []
    assert _only(document).devices == 4
    assert _only(document).device.name == "test_device"  # found by its alias
    assert list(workspace.hashes) == [
        "plan.spec",
        "shared/common.spec",
        "std/calibrations.spec",
        "std/devices.spec",
        "std/models.spec",
    ]


def _library() -> tuple[dict[str, Model], dict[str, object]]:
    text = (ROOT / "specs" / "std" / "devices.spec").read_text()
    names = [line.split()[1] for line in text.splitlines() if line.startswith("device ")]
    models = (ROOT / "specs" / "std" / "models.spec").read_text()
    model_names = [line.split()[1] for line in models.splitlines() if line.startswith("model ")]
    lines = ["use std.devices", "use std.models", "workload w { input = 1 tok; output = 1 tok }"]
    pairs = [(m, names[0]) for m in model_names] + [(model_names[0], d) for d in names]
    for index, (model, device) in enumerate(pairs):
        fields = f"model = {model}; device = {device}; devices = 1; quant = bf16"
        lines.append(f"deployment d{index} {{ {fields} }}")
    every = ", ".join(f"d{index}" for index in range(len(pairs)))
    lines.append(f"study s {{ workload = w; deployments = [{every}] }}")
    return lines, pairs


@pytest.fixture
def library(checked):
    """All models and devices of the standard library, by name."""
    lines, _ = _library()
    document, diagnostics = checked("\n".join(lines))
    assert diagnostics == []
    deployments = document.studies[0].deployments
    return (
        {d.model.name: d.model for d in deployments},
        {d.device.name: d.device for d in deployments},
    )


# Parameters in billions as the publishers' model cards on Hugging Face give them.
PUBLISHED = {
    "qwen3_0_6b": 0.60, "qwen3_1_7b": 1.72, "qwen3_4b": 4.02, "qwen3_8b": 8.19, "qwen3_14b": 14.77,
    "qwen3_32b": 32.76, "llama3_2_1b": 1.24, "llama3_2_3b": 3.21, "llama3_1_8b": 8.03,
    "llama3_1_70b": 70.55, "llama3_1_405b": 405.85, "qwen2_5_7b": 7.62, "qwen2_5_72b": 72.7,
    "qwen3_30b_a3b": 30.5, "qwen3_235b_a22b": 235, "qwen3_coder_480b_a35b": 480,
    "qwen3_next_80b_a3b": 80, "qwen3_5_27b": 27.4, "qwen3_5_35b_a3b": 35, "qwen3_5_122b_a10b": 122,
    "qwen3_5_397b_a17b": 397, "qwen3_vl_8b": 8.77, "mixtral_8x7b": 46.7, "minimax_m2_5": 229,
    "glm_4_7": 353, "glm_5": 744, "gpt_oss_20b": 20.9, "gpt_oss_120b": 116.8,
    "mimo_v2_flash": 309, "deepseek_v3": 671, "deepseek_v3_2": 671, "deepseek_v4_flash": 284,
    "kimi_k2": 1026, "kimi_k2_5": 1026,
}  # fmt: skip

# Parameters that a token passes, in billions, where publishers give more than one digit of them.
ACTIVE = {
    "qwen3_235b_a22b": 22, "mixtral_8x7b": 12.9, "gpt_oss_20b": 3.61, "gpt_oss_120b": 5.13,
    "deepseek_v3": 36.7, "deepseek_v4_flash": 13.2, "kimi_k2": 31.8, "mimo_v2_flash": 14.9,
}  # fmt: skip


def test_parameter_counts_are_the_published_ones(library) -> None:
    models, _ = library
    assert set(models) > set(PUBLISHED)
    for name, billions in PUBLISHED.items():
        assert models[name].parameters / 1e9 == pytest.approx(billions, rel=0.01), name
    for name, billions in ACTIVE.items():
        assert models[name].active_parameters / 1e9 == pytest.approx(billions, rel=0.01), name


def test_every_model_has_a_source_and_counts_as_its_publisher_does(library) -> None:
    models, _ = library
    without = set()
    for name, model in models.items():
        assert model.published.source, name
        assert model.aliases, name
        if model.published.parameters is None:  # the name alone says how many
            without.add(name)
            continue
        assert model.parameters == pytest.approx(model.published.parameters, rel=0.01), name
        active = model.published.active_parameters
        assert model.active_parameters == pytest.approx(active, rel=0.01), name
    assert len(without) <= 8


def test_devices_are_the_published_profiles(library) -> None:
    _, devices = library
    a3, a2 = devices["atlas_800_a3_752t_die"], devices["atlas_800_a2_313t"]
    assert (a3.cube.fp16, a3.cube.bf16, a3.cube.int8) == (376e12, 353.9e12, 752e12)
    assert [(level.size, level.bandwidth) for level in a3.levels] == [
        (2, 224e9),
        (8, 196e9),
        (48, 196e9),
    ]
    assert a2.levels[0].topology is Topology.FULL_MESH
    assert a2.memory == 64 * 2**30
    assert devices["atlas_350_425t_84g"].memory == 84 * 2**30
    # Data sheets say TB/s; the published planner counts in TiB/s.
    small = devices["atlas_800_a2_280t_32g_pcie"]
    assert small.memory_bandwidth == 0.8e12
    assert small.reference.memory_bandwidth == 0.8 * 2**40
    assert a3.memory_bandwidth == 1.6e12
    assert a3.reference.memory_bandwidth == a2.reference.memory_bandwidth == 1.6 * 2**40
    assert devices["atlas_800_a3_560t_roce_die"].levels[2].bandwidth == 24.5e9
    aliases = [alias for device in devices.values() for alias in device.aliases]
    assert "ATLAS_800_A3_752T_128G_DIE" in aliases
    assert len(aliases) == len(set(aliases)) >= len(devices)
    for device in devices.values():
        # int8 runs at twice the fp16 rate on every matrix unit, but for that of B300.
        if device.name != "b300":
            assert device.cube.int8 == pytest.approx(2 * device.cube.fp16, rel=0.02), device.name


# Dense peaks in T (bf16, fp8, fp4, int8), memory in bytes, GB/s, W and one-way GB/s of the first
# level, by the sources that the file names.
GB, GIB, MIB = 10**9, 2**30, 2**20
PEAKS = {
    "ascend_310p": (70, None, None, 140, 44_278 * MIB, 204, 75, 16),
    "ascend_950pr": (500, 1000, 2000, 1000, 128 * GB, 1600, None, 1000),
    "ascend_950dt": (500, 1000, 2000, 1000, 144 * GB, 4000, None, 1000),
    "atlas_350_425t_112g": (378, 756, 1512, 756, 112 * GIB, 1400, 600, 159),
    "atlas_800_a2_280t_32g": (245.8, None, None, 560, 32 * GIB, 800, None, 196),
    "h20": (148, 296, None, 296, 97_871 * MIB, 4000, 400, 450),
    "h100": (989.4, 1978.9, None, 1978.9, 80 * GIB, 3350, 700, 450),
    "h200": (989.4, 1978.9, None, 1978.9, 141 * GIB, 4800, 700, 450),
    "a100": (312, None, None, 624, 80 * GIB, 2039, 400, 300),
    "l40s": (362, 733, None, 733, 46_068 * MIB, 864, 350, 32),
    "b200": (2250, 4500, 9000, 4500, 180 * GIB, 7700, 1000, 900),
    "b300": (2250, 4500, 14_000, 153.5, 275_040 * MIB, 7750, 1100, 900),
    "gb200": (2500, 5000, 10_000, 5000, 189_471 * MIB, 8000, 1200, 900),
    "mi300x": (1307, 2615, None, 2615, 192 * GIB, 5300, 750, 448),
    "mi355x": (2500, 5000, 10_000, 5000, 288 * GB, 8000, 1400, 538),
}


@pytest.mark.parametrize("name", PEAKS)
def test_devices_of_other_generations_and_vendors(name: str, library) -> None:
    _, devices = library
    device, cube = devices[name], devices[name].cube
    rates = [None if r is None else r / 1e12 for r in (cube.bf16, cube.fp8, cube.fp4, cube.int8)]
    link = device.levels[0].bandwidth / 1e9
    found = (*rates, device.memory, device.memory_bandwidth / 1e9, device.power, link)
    assert found == pytest.approx(PEAKS[name])
    assert device.vendor is not None


def test_numbers_of_devices_have_sources() -> None:
    """Lines of a device that Ascend has say where they are from, or that they are assumed."""
    text = (ROOT / "specs" / "std" / "devices.spec").read_text()
    ascend = text[: text.index("# NVIDIA, with the dense rates")]
    silent = [
        line
        for line in ascend.splitlines()
        if line.startswith("    ")
        and any(digit.isdigit() for digit in line.split("=", 1)[-1])
        and "#" not in line
        and not line.strip().startswith(
            ("aliases", "cores", "calibration ", "cards_per", "dies_per")
        )
    ]
    assert silent == []


def test_a_configuration_gives_the_model_of_the_library(
    reference_data: Path, tmp_path: Path, library
) -> None:
    models, _ = library
    for config, name in (
        ("Qwen3-8B", "qwen3_8b"),
        ("Qwen3-32B", "qwen3_32b"),
        ("Meta-Llama-3.1-8B", "llama3_1_8b"),
        ("Meta-Llama-3.1-70B", "llama3_1_70b"),
        ("Qwen3-30B-A3B", "qwen3_30b_a3b"),
        ("Qwen3-235B-A22B", "qwen3_235b_a22b"),
        ("Mixtral-8x7B-v0.1", "mixtral_8x7b"),
        ("MiniMax-M2.5", "minimax_m2_5"),
        ("GLM-5", "glm_5"),
        ("gpt-oss-20b", "gpt_oss_20b"),
        ("MiMo-V2-Flash", "mimo_v2_flash"),
        ("Qwen3-VL-8B-Instruct", "qwen3_vl_8b"),
        ("Qwen3.5-35B-A3B", "qwen3_5_35b_a3b"),
        ("DeepSeek-V3", "deepseek_v3"),
        ("DeepSeek-V3.2", "deepseek_v3_2"),
        ("DeepSeek-V4-Flash", "deepseek_v4_flash"),
        ("Kimi-K2-Instruct", "kimi_k2"),
        ("Kimi-K3", "kimi_k3"),
        ("MiMo-7B-Base", "mimo_7b"),
        ("Llama-3_3-Nemotron-Super-49B-v1", "nemotron_super_49b"),
        ("NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "nemotron_3_nano_30b_a3b"),
        ("NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16", "nemotron_3_ultra_550b_a55b"),
    ):
        source = reference_data / "model_configs" / f"{config}.json"
        (tmp_path / "config.json").write_bytes(source.read_bytes())
        read = _model_of_config(tmp_path)
        for field in ("name", "doc", "aliases", "config", "published"):
            read.pop(field)
        wanted = to_json(models[name])
        assert read == {field: wanted[field] for field in read}


def _model_of_config(folder: Path, extra: str = "") -> dict[str, object]:
    (folder / "plan.spec").write_text(
        f"""
        use std.devices
        workload w {{ input = 1 tok; output = 1 tok }}
        model mine {{ config = "config.json"; {extra} }}
        deployment d {{ model = mine; device = test_device; devices = 1; quant = bf16 }}
        study s {{ workload = w; deployments = [d] }}
        """
    )
    document, diagnostics = check(Workspace(folder), folder / "plan.spec")
    assert diagnostics == []
    model: dict[str, object] = to_json(_only(document).model)
    return model


def test_a_configuration_is_overridden_by_the_fields_beside_it(tmp_path: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "vocab_size": 100,
        "max_position_embeddings": 4096,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    plain = _model_of_config(tmp_path)
    assert (plain["kv_heads"], plain["head_dim"], plain["max_positions"]) == (4, 16, 4096)
    longer = _model_of_config(tmp_path, "max_positions = 8Ki tok")
    assert longer["max_positions"] == 8192
