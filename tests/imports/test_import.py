"""`specc import`: commands that people run, as the deployment that they mean."""

import json

import pytest

from specc.imports import ImportFailedError, read_launch, text_of
from specc.imports.commands import commands_in, expanded
from specc.library import device
from tests.conftest import ROOT

NPU = "atlas_800_a3_752t_die"
FULL = """\
#!/bin/bash
# a comment with vllm serve in it
export HCCL_BUFFSIZE=512
MODEL=/weights/DeepSeek-R1-W8A8
TP=8
vllm serve "$MODEL" \\
    --tensor-parallel-size ${TP} --data-parallel-size 4 \\
    --enable-expert-parallel --quantization ascend \\
    --max-num-seqs 64 --max-num-batched-tokens 4k --max-model-len=32K \\
    --gpu-memory-utilization 0.9 --no-enable-prefix-caching --async-scheduling \\
    --additional-config '{"enable_flashcomm1": true, "enable_cpu_binding": true}' \\
    --host 0.0.0.0 --port ${PORT:-8000} --enable-auto-tool-choice > log.txt 2>&1 &
"""


def checked(checked_spec, text: str):
    """Check the text with a study of it; return its deployment."""
    study = (
        "workload w { input = 100 tok; output = 50 tok }\n"
        "study s { workload = w; deployments = [imported] }\n"
    )
    document, diagnostics = checked_spec(text + study)
    assert not [d for d in diagnostics if d.is_error], diagnostics
    return document.studies[0].deployments[0]


def test_a_script_of_vllm_ascend(checked_spec) -> None:
    found = read_launch(FULL)
    own = checked(checked_spec, text_of(found, device(NPU), "a command"))
    assert own.model.name == "deepseek_v3"
    assert own.quant.value == "w8a8_dynamic"
    assert own.devices == 32
    assert (own.parallel.tp, own.parallel.dp, own.parallel.ep) == ((8,), (4,), (32,))
    engine = own.engine
    assert engine.software.value == "vllm_ascend"
    assert (engine.max_sequences, engine.chunk_budget) == (64, 4000)
    assert engine.max_model_length == 32768
    assert engine.memory_utilization == pytest.approx(0.9)
    assert (engine.prefix_caching, engine.async_scheduling) == (False, True)
    assert own.communication.sequence_parallel
    assert found[0].lost == [
        "--additional-config: enable_cpu_binding = true: a plan has no field for it"
    ]
    assert "--port" in found[0].kept_out


@pytest.fixture
def checked_spec(checked):
    return checked


@pytest.mark.parametrize(
    ("command", "field", "value"),
    [
        ("vllm serve Qwen/Qwen3-8B -tp 2", "devices", 2),
        ("vllm serve --model Qwen/Qwen3-8B --tensor-parallel-size=4", "devices", 4),
        ("python3 -m vllm.entrypoints.openai.api_server --model Qwen/Qwen3-8B", "devices", 1),
        ("vllm serve Qwen/Qwen3-8B -tp 2 -pp 2 -dp 2", "devices", 8),
        ("FOO=1 nohup vllm serve Qwen/Qwen3-8B --enforce-eager &", "engine.execution.value",
         "eager"),
        ("vllm serve Qwen/Qwen3-8B --block-size 64", "engine.block_size", 64),
        ("vllm serve Qwen/Qwen3-8B -O0 -q fp8 >>log 2>&1", "quant.value", "fp8"),
        ("vllm serve Qwen/Qwen3-8B --compilation-config.cudagraph_mode NONE | tee log",
         "engine.execution.value", "eager"),
        ("python -m vllm.entrypoints.openai.api_server --model Qwen/Qwen3-8B -tp 2 > l 2>&1 &",
         "devices", 2),
        ("python -m sglang.launch_server --model-path Qwen/Qwen3-8B --tp 4", "devices", 4),
    ],
)  # fmt: skip
def test_commands(checked_spec, command, field, value) -> None:
    own = checked(checked_spec, text_of(read_launch(command), device("h200"), "a command"))
    for name in field.split("."):
        own = getattr(own, name)
    assert own == value


def test_data_parallelism_of_sglang_lies_within_tp() -> None:
    (one,) = read_launch(
        "python -m sglang.launch_server --model-path R1 --tp-size 32 --dp-size 4 "
        "--enable-dp-attention --max-running-requests 832"
    )
    assert (one.tp, one.dp, one.devices, one.ranks) == (8, 4, 32, 32)
    assert one.fields["engine.max_sequences"] == "208"  # of each of four ranks


def test_what_specc_launches_it_reads_again(checked_spec) -> None:
    path = ROOT / "specs" / "qwen3-32b-chat.launch" / "serve.sh"
    found = read_launch(path.read_text())
    own = checked(checked_spec, text_of(found, device(NPU), path.name))
    results = json.loads((ROOT / "specs" / "qwen3-32b-chat.result.json").read_text())
    best = results["studies"][0]["recommendation"]["instances"][0]
    assert own.devices == best["devices"]
    assert own.parallel.tp == (best["layout"]["tp"],)
    assert own.parallel.dp == (best["layout"]["dp"],)
    assert own.engine.max_sequences == best["engine"]["max_sequences"]
    assert own.engine.chunk_budget == best["engine"]["chunk_budget"]


def test_phases_apart_of_scripts_and_of_motor(specc, tmp_path) -> None:
    folder = ROOT / "specs" / "deepseek-v3-pd-ratio.launch"
    text = "".join((folder / f"{role}-rank.sh").read_text() for role in ("prefill", "decode"))
    scripts = read_launch(text)
    assert [one.role for one in scripts] == ["prefill", "decode"]
    specc("launch", str(ROOT / "specs" / "deepseek-v3-pd-ratio.result.json"), "--target", "motor",
          "--out", "motor")  # fmt: skip
    motor = read_launch((tmp_path / "motor" / "user_config.json").read_text())
    for mine, theirs in zip(scripts, motor, strict=True):
        assert (mine.tp, mine.dp, mine.ep) == (theirs.tp, theirs.dp, theirs.ep)
        assert mine.fields["engine.max_sequences"] == theirs.fields["engine.max_sequences"]
    assert any("3 prefill instances" in note for note in motor[0].lost)


def test_a_flag_that_there_is_not_has_a_suggestion() -> None:
    (one,) = read_launch("vllm serve m --max-nums-seqs 3")
    assert one.lost == ["--max-nums-seqs 3: no flag that is known; did you mean '--max-num-seqs'?"]


def test_drafts_need_an_acceptance() -> None:
    (one,) = read_launch(
        """vllm serve m --speculative-config '{"method": "mtp", "num_speculative_tokens": 3}'"""
    )
    assert "acceptance_from" in one.lost[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no command that launches a server"),
        ("python server.py", "no command that launches a server"),
        ("vllm serve", "names no model"),
        ("vllm serve 'm", "cannot be read"),
        ('{"a": 1}', "not a configuration of MindIE Motor"),
        ('{"motor_engine_prefill_config": {"engine_type": "sglang"}}', "is not of vLLM"),
        ("[" * 100_000, "no command"),
    ],
)
def test_what_launches_nothing(text, message) -> None:
    with pytest.raises(ImportFailedError, match=message):
        read_launch(text)


@pytest.mark.parametrize("value", ["many", "-3", "0", "1.5", "$N", "1e9"])
def test_numbers_that_are_none_are_noted(value) -> None:
    (one,) = read_launch(f"vllm serve m --max-num-seqs={value}")
    assert "engine.max_sequences" not in one.fields
    assert one.lost


def test_variables_and_arrays_of_a_script() -> None:
    (command,) = commands_in('A=(--x 1)\nA+=(--y "2 3")\nvllm serve m "${A[@]}" $B\n')
    assert command.words == ("m", "--x", "1", "--y", "2 3", "$B")
    assert expanded("${X:-5} $Y ${Z}", {"Y": "6"}) == "5 6 ${Z}"


def test_as_a_user_runs_it(specc, tmp_path) -> None:
    command = "vllm serve Qwen/Qwen3-8B -tp 2 --max-num-seqs 8"
    said = specc("import", command, "--device", NPU, "-o", "server.spec")
    assert "wrote server.spec" in said.stdout
    assert "= vllm_ascend" in (tmp_path / "server.spec").read_text()
    assert "exists already" in specc("import", command, "-o", "server.spec", code=2).stderr
    assert "error[E0018]" in specc("import", "python server.py", code=2).stderr
    assert "error[E0001]" in specc("import", "none.sh", code=2).stderr
    assert "error[E0203]" in specc("import", command, "--device", "npu", code=2).stderr
    without = specc("import", command).stdout
    assert "# device = …" in without
    data = json.loads(specc("import", command + " --foo", "--format", "json").stdout)
    assert data["lost"][0].startswith("--foo")


@pytest.mark.parametrize(
    ("command", "lost"),
    [
        ("vllm serve Qwen/Qwen3-8B >log 2>&1 &", []),
        ("vllm serve Qwen/Qwen3-8B -pp 2 --max-num-seqs 7",
         ["--max-num-seqs 7: 2 pipeline stages share it, and a plan gives each 3"]),
        ("python -m sglang.launch_server --model-path Qwen/Qwen3-8B --tp 4 --dp 4 "
         "--max-running-requests 2",
         ["--max-running-requests 2: 4 data-parallel ranks share it, and a plan gives each 1"]),
        ("vllm serve Qwen/Qwen3-8B -tp 99999999999999999999",
         ["--tensor-parallel-size 99999999999999999999: it is no whole number from 1 to "
          "1000000000"]),
        ("vllm serve Qwen/Qwen3-8B --blub 3", ["--blub 3: no flag that is known"]),
    ],
)  # fmt: skip
def test_what_is_not_carried_over_is_said_in_one_line(command, lost) -> None:
    assert read_launch(command)[0].lost == lost


def test_a_newline_ends_no_comment() -> None:
    found = read_launch("vllm serve Qwen/Qwen3-8B '--foo\nstudy evil { workload = w }'")
    text = text_of(found, None, "a\nstudy evil { workload = w }")
    assert not [line for line in text.splitlines() if line.startswith("study evil")]


def test_ranks_of_attention_share_the_chunk_of_sglang() -> None:
    (found,) = read_launch(
        "python -m sglang.launch_server --model-path deepseek-ai/DeepSeek-V3 --tp 16 --dp 4 "
        "--enable-dp-attention --chunked-prefill-size 8192 --max-running-requests 64"
    )
    assert (found.tp, found.dp, found.ep) == (4, 4, None)
    assert found.fields["engine.chunk_budget"] == "2048 tok"
    assert found.fields["engine.max_sequences"] == "16"


def test_the_variable_of_sequence_parallelism() -> None:
    (found,) = read_launch(
        "export VLLM_ASCEND_ENABLE_FLASHCOMM1=1\nvllm serve Qwen/Qwen3-32B -tp 4"
    )
    assert found.fields["communication.sequence_parallel"] == "true"
