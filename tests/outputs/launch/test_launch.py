"""`specc launch`: what it writes is what its engine takes, and says what was assumed."""

import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from specc.engines.flags import flags_of, known_versions
from specc.ir import Software
from specc.outputs.launch import TARGETS, launch_files
from specc.outputs.launch.base import CannotLaunchError, LaunchPlan
from specc.outputs.launch.serving import capture_sizes
from specc.results import load_results
from specc.results.choosing import ChoiceError, chosen
from tests.conftest import ROOT

SHELLCHECK = str(Path(sys.executable).with_name("shellcheck"))
EXAMPLES = ("qwen3-32b-chat", "deepseek-v3-pd-ratio", "conversation-trace")
PLAN = """\
use std.devices
use std.models
workload w {{ input = 100 tok; output = 50 tok; {workload} slo {{ ttft <= 2 s; tpot <= 60 ms }} }}
deployment d {{
    model = {model}
    device = {device}
    devices = {devices}
    quant = {quant}
    parallel {{ {parallel} }}
    engine {{ {engine} }}
    {more}
}}
study s {{ workload = w; deployments = [d]; {study} }}
"""
USUAL = {
    "workload": "",
    "model": "qwen3_8b",
    "device": "atlas_800_a3_752t_die",
    "devices": 2,
    "quant": "bf16",
    "parallel": "tp = 2",
    "engine": "software = vllm_ascend",
    "more": "",
    "study": "",
}


def written(specc, folder: Path, *arguments: str, code: int = 0, **other: object) -> Path:
    """Write a plan and launch it; return the folder of the files, or say what was printed."""
    (folder / "plan.spec").write_text(PLAN.format(**{**USUAL, **other}))
    said = specc("launch", "plan.spec", "--out", "out", *arguments, code=code)
    (folder / "said.txt").write_text(said.stdout + said.stderr)
    return folder / "out"


def arguments_of(text: str, start: str) -> list[str]:
    """Return the words of a command in a script, as a shell would split them."""
    tail = text[text.index(start) :].replace("\\\n", " ")
    line = tail.split("\n")[0] if "(" not in start else tail[: tail.index("\n)")]
    return shlex.split(re.sub(r"(?m) #.*$", "", line).replace("$((", "((")[len(start) :])


def flags_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text))


@pytest.fixture(scope="module")
def plans() -> dict[str, LaunchPlan]:
    found = {}
    for name in EXAMPLES:
        results = load_results(ROOT / "specs" / f"{name}.result.json")
        result, configuration = chosen(results)
        place = result.configurations.index(configuration) + 1
        found[name] = LaunchPlan(results.header, result.study, configuration, place)
    return found


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("target", [target.name for target in TARGETS])
def test_every_flag_exists_in_that_version(plans, name, target) -> None:
    plan = plans[name]
    try:
        files = launch_files(plan, target)
    except CannotLaunchError:
        assert (name, target) in {
            ("qwen3-32b-chat", "motor"),
            ("conversation-trace", "motor"),
            ("deepseek-v3-pd-ratio", "compose"),
        }
        return
    known = plan.groups[0].flags
    for file, text in files.items():
        if re.search(r"serve\.sh|-rank\.sh|compose\.yaml", file):
            code = re.sub(r"(?m)(^|\s)#.*$", "", text)
            assert flags_in(code) <= set(known.serve), file
    bench = re.search(r"vllm bench serve(.*?);;", files["loadtest.sh"], re.S)[1]
    assert flags_in(bench) <= set(flags_of(Software.VLLM, "0.23.0").bench)
    if target == "motor":
        config = json.loads(files["user_config.json"])
        for role in ("prefill", "decode"):
            keys = set(config[f"motor_engine_{role}_config"]["engine_config"])
            assert {f"--{key.replace('_', '-')}" for key in keys - {"model"}} <= set(known.serve)


@pytest.mark.parametrize("name", EXAMPLES)
def test_scripts_are_right_by_bash_and_shellcheck(plans, tmp_path, name) -> None:
    for target in ("shell", "kubernetes"):
        for file, text in launch_files(plans[name], target).items():
            if file.endswith(".sh"):
                path = tmp_path / file
                path.write_text(text)
                subprocess.run(["bash", "-n", str(path)], check=True)
                done = subprocess.run(
                    [SHELLCHECK, str(path)], capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, done.stdout


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EXAMPLES)
def test_manifests_are_right_by_the_schemas_of_kubernetes(plans, name) -> None:
    import kubernetes_validate

    text = launch_files(plans[name], "kubernetes")["manifest.yaml"]
    kinds = []
    for found in yaml.safe_load_all(text):
        kinds.append(found["kind"])
        if found["kind"] != "LeaderWorkerSet":
            kubernetes_validate.validate(found, "1.31", strict=True)
            continue
        own = found["spec"]["leaderWorkerTemplate"]
        assert found["apiVersion"] == "leaderworkerset.x-k8s.io/v1"
        assert (own["size"], found["spec"]["replicas"]) == (2, 6)
        for template in (own["leaderTemplate"], own["workerTemplate"]):
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {**template["metadata"], "name": "pod"},
                "spec": template["spec"],
            }
            kubernetes_validate.validate(pod, "1.31", strict=True)
    assert kinds[0] == ("StatefulSet" if "pd-ratio" in name else "Deployment")


# What depends on the server a script runs on, which the scripts themselves say.
_OF_THE_PLACE = {"--host", "--port", "--headless", "--data-parallel-start-rank"}
_OF_THE_PLACE |= {f"--data-parallel-{name}" for name in ("rank", "address", "rpc-port")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_readme_has_a_reason_for_each_flag(plans, name) -> None:
    files = launch_files(plans[name], "shell")
    servers = [text for file, text in files.items() if "exec vllm serve" in text]
    written = set.union(*(flags_in(text) for text in servers)) - _OF_THE_PLACE
    reasons = re.findall(r"(?m)^\| `(--[a-z0-9-]+)` \| .* \| (.+) \|$", files["README.md"])
    assert written == {flag for flag, _ in reasons}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_folders_beside_the_reports_are_current(plans, name) -> None:
    folder = ROOT / "specs" / f"{name}.launch"
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert found == launch_files(plans[name], "shell")


def test_what_is_launched_is_what_was_planned(plans) -> None:
    plan = plans["qwen3-32b-chat"]
    instance = plan.configuration.instances[0]
    words = arguments_of(launch_files(plan, "shell")["serve.sh"], "arguments=(")
    values = dict(itertools.pairwise(words))
    assert values["--tensor-parallel-size"] == str(instance.layout.tp)
    assert values["--data-parallel-size"] == str(instance.layout.dp)
    assert values["--max-num-seqs"] == str(instance.engine.max_sequences)
    assert values["--max-num-batched-tokens"] == str(instance.engine.chunk_budget)
    sizes = json.loads(values["--compilation-config"])["cudagraph_capture_sizes"]
    assert sizes[-1] == instance.engine.max_sequences
    load = launch_files(plan, "shell")["loadtest.sh"]
    assert f"--max-concurrency {plan.configuration.load.clients} " in load
    assert "--random-input-len 2450 " in load  # 3,500 of which 30 % are cached
    assert "--random-prefix-len 1050 " in load
    assert "--goodput ttft:15000 tpot:50 " in load


def test_phases_apart_have_roles_ports_and_sizes_that_fit(plans) -> None:
    plan = plans["deepseek-v3-pd-ratio"]
    prefill, decode = (group.instance for group in plan.groups)
    files = launch_files(plan, "shell")
    sizes = {
        "prefill": {"dp_size": prefill.layout.dp, "tp_size": prefill.layout.tp},
        "decode": {"dp_size": decode.layout.dp, "tp_size": decode.layout.tp},
    }
    for role, kv_role in (("prefill", "kv_producer"), ("decode", "kv_consumer")):
        text = files[f"{role}-rank.sh"]
        assert f'"kv_role": "{kv_role}"' in text
        extra = re.search(r'"kv_connector_extra_config": (\{.*\})\}\'', text)[1]
        assert json.loads(extra) == sizes
        # Mooncake takes ports from 20000 to 36000 with 16 NPUs.
        assert int(re.search(r"KV_PORT:-\$\(\((\d+)", files[f"{role}.sh"])[1]) >= 36000
        assert "--speculative-config" in text  # prefill fills the cache of the draft layers
    assert "--max-num-batched-tokens" in files["decode-rank.sh"]
    assert f"ENGINE_ID=$(({prefill.count} + INSTANCE))" in files["decode.sh"]
    lines = [json.loads(line) for line in files["requests.jsonl"].splitlines()]
    assert len(lines) == 1000
    assert all(len(row["hash_ids"]) == -(-row["input_length"] // 128) for row in lines)
    times = [row["timestamp"] for row in lines]
    assert times == sorted(times)
    assert 999 / (times[-1] - times[0]) == pytest.approx(14, rel=0.1)  # requests a second


def test_motor_has_the_instances_of_the_plan(plans) -> None:
    plan = plans["deepseek-v3-pd-ratio"]
    config = json.loads(launch_files(plan, "motor")["user_config.json"])
    deploy = config["motor_deploy_config"]
    prefill, decode = (group.instance for group in plan.groups)
    assert deploy["p_instances_num"] == prefill.count
    assert deploy["d_instances_num"] == decode.count
    assert deploy["d_pod_npu_num"] * deploy["single_d_instance_pod_num"] == decode.devices
    assert deploy["hardware_type"] == "800I_A3"
    engine = config["motor_engine_decode_config"]["engine_config"]
    assert engine["data_parallel_size"] * engine["tensor_parallel_size"] == decode.devices
    assert False not in engine.values()  # which Motor drops


def test_a_compose_file_asks_for_its_devices(plans) -> None:
    text = launch_files(plans["qwen3-32b-chat"], "compose")["compose.yaml"]
    (service,) = yaml.safe_load(text)["services"].values()
    davinci = [d for d in service["devices"] if re.fullmatch(r"/dev/davinci\d+", d)]
    assert len(davinci) == 8
    assert service["command"][0] == "/model"
    assert "MODEL_DIR:?" in service["volumes"][0]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"engine": ""}, "'d' names no engine to launch"),
        ({"engine": "software = mindie"}, "no flags of mindie are known"),
        ({"engine": 'software = vllm_ascend; version = "0.11.0"'}, "0.18.0, 0.23.0 are"),
        ({"more": "mode = decode_only"}, "has instances that decode alone"),
    ],
)
def test_what_cannot_be_launched(specc, tmp_path, other, message) -> None:
    written(specc, tmp_path, code=2, **other)
    said = (tmp_path / "said.txt").read_text()
    assert "error[E0016]" in said
    assert message in said
    assert "help:" in said
    assert not (tmp_path / "out").exists()


def test_files_that_say_something_else_stay(specc, tmp_path) -> None:
    out = written(specc, tmp_path)
    written(specc, tmp_path)  # the same again is fine
    (out / "serve.sh").write_text("mine")
    written(specc, tmp_path, code=2)
    assert "add --force" in (tmp_path / "said.txt").read_text()
    assert (out / "serve.sh").read_text() == "mine"
    written(specc, tmp_path, "--force")
    assert (out / "serve.sh").read_text() != "mine"
    assert (out / "serve.sh").stat().st_mode & 0o111


def test_the_spec_and_its_results_launch_the_same(specc, tmp_path) -> None:
    out = written(specc, tmp_path)
    specc("run", "plan.spec")
    specc("launch", "plan.result.json", "--out", "other")
    for path in out.iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_templates_of_a_user_count_first(specc, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "serve.sh.j2").write_text("#!/bin/sh\n# {{ model }} of mine\n")
    out = written(specc, tmp_path, "--templates", "mine")
    assert (out / "serve.sh").read_text() == "#!/bin/sh\n# qwen3_8b of mine\n"
    assert "set URL" in (out / "loadtest.sh").read_text()
    (tmp_path / "mine" / "serve.sh.j2").write_text("{{ nothing }}")
    written(specc, tmp_path, "--templates", "mine", "--force", code=2)
    assert "error[E0017]" in (tmp_path / "said.txt").read_text()
    written(specc, tmp_path, "--templates", "nowhere", "--force", code=2)
    assert "there is no folder 'nowhere'" in (tmp_path / "said.txt").read_text()


def test_several_servers_of_an_instance(specc, tmp_path) -> None:
    other = {
        "model": "deepseek_v3",
        "devices": 32,
        "quant": "w8a8_dynamic",
        "parallel": "tp = 8; ep = 32",
    }
    out = written(specc, tmp_path, **other)
    text = (out / "serve.sh").read_text()
    assert "--data-parallel-size-local 2" in text
    assert "--headless --data-parallel-start-rank $((NODE * 2))" in text
    assert "HCCL_IF_IP" in text
    assert "NODE from 0 to 1" in (out / "README.md").read_text()


def test_vllm_on_nvidia(specc, tmp_path) -> None:
    out = written(specc, tmp_path, device="h200", engine="software = vllm; max_sequences = 64")
    text = (out / "serve.sh").read_text()
    assert "CUDA_VISIBLE_DEVICES" in text
    assert "--max-num-seqs 64" in text
    assert "HCCL" not in text
    written(specc, tmp_path, "--target", "compose", "--force", device="h200",
            engine="software = vllm; max_sequences = 64")  # fmt: skip
    (service,) = yaml.safe_load((out / "compose.yaml").read_text())["services"].values()
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] == ["0", "1"]


def test_a_hostile_name_runs_nothing(specc, tmp_path) -> None:
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": 1024,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 3072,
        "vocab_size": 1000,
        "max_position_embeddings": 4096,
        "torch_dtype": "bfloat16",
        "tie_word_embeddings": False,
    }
    trace = tmp_path / "a$(touch pwned)`touch pwned`';x.csv"
    rows = "".join(f"{i},100,5\n" for i in range(20))
    trace.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n" + rows)
    (tmp_path / "m.json").write_text(json.dumps(config))
    spec = "plan\ntouch pwned\n#.spec"  # would end a comment of a script
    (tmp_path / spec).write_text(
        "use std.devices\n"
        'model m { config = "m.json" }\n'
        "workload w { input = 100 tok; output = 5 tok }\n"
        "deployment d { model = m; device = atlas_800_a3_752t_die; devices = 1\n"
        "    engine { software = vllm_ascend } }\n"
        "study s { workload = w; deployments = [d]\n"
        f'    simulate {{ arrival = trace("{trace.name}") }} }}\n'
    )
    specc("launch", spec, "--out", "out")
    for script in (tmp_path / "out").glob("*.sh"):
        subprocess.run(["bash", "-n", str(script)], check=True)
        done = subprocess.run(
            ["bash", str(script)],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "URL": "http://x", "MODEL": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "out" / "pwned").exists()


@pytest.mark.parametrize(
    ("sequences", "new"), [(1, 1), (2, 1), (3, 2), (60, 1), (256, 4), (1024, 2)]
)
def test_sizes_of_graphs_end_with_the_full_batch(sequences, new) -> None:
    sizes = capture_sizes(sequences, new)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == sequences * new
    assert all(size % new == 0 for size in sizes)
    assert len(sizes) <= 24


def test_lists_of_flags_by_version() -> None:
    assert known_versions(Software.VLLM_ASCEND) == ("0.18.0", "0.23.0")
    assert known_versions(Software.MINDIE) == ()
    assert flags_of(Software.VLLM_ASCEND, "0.20").version == "0.18.0"
    assert "--no-enable-prefix-caching" in flags_of(Software.VLLM, "0.33.0").serve
    assert "--self-timed" not in flags_of(Software.VLLM, "0.18.0").bench


def test_a_number_that_there_is_not() -> None:
    results = load_results(ROOT / "specs" / "qwen3-32b-chat.result.json")
    with pytest.raises(ChoiceError, match="has no configuration 0"):
        chosen(results, number=0)


APART = """\
use std.devices
use std.models
workload w {{ input = 512 tok; output = 64 tok; slo {{ ttft <= 4 s; tpot <= 80 ms }} }}
deployment d {{
    model = {model}; device = atlas_800_a3_752t_die; mode = pd_ratio
    engine {{ software = vllm_ascend }}
    prefill {{ devices = {devices}; parallel {{ tp = {tp}; dp = {dp} }} }}
    decode {{ devices = {devices}; parallel {{ tp = {tp}; dp = {dp} }}; {more} }}
    fleet {{ devices = {all} }}
}}
study s {{ workload = w; deployments = [d] }}
"""
DENSE = {"model": "qwen3_32b", "devices": 4, "tp": 4, "dp": 1, "all": 16, "more": "quant = bf16"}


def test_one_rank_is_none_of_data_parallelism(specc, tmp_path) -> None:
    """vLLM refuses a rank of one (config/parallel.py): these flags need a size of two or more."""
    (tmp_path / "plan.spec").write_text(APART.format(**DENSE))
    specc("launch", "plan.spec", "--out", "out")
    for role in ("prefill", "decode"):
        assert "--data-parallel" not in (tmp_path / "out" / f"{role}-rank.sh").read_text()
    said = specc("launch", "plan.spec", "--out", "k8s", "--target", "kubernetes", code=2).stderr
    assert "4 instances of prefill share a server" in said


def test_ranks_of_a_dense_model_are_instances(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(APART.format(**{**DENSE, "tp": 2, "dp": 2}))
    said = specc("launch", "plan.spec", "--out", "out", code=2).stderr
    assert "2 data-parallel ranks of a dense model" in said


def test_a_draft_model_of_motor_is_an_object(specc, tmp_path) -> None:
    drafts = (
        "engine { software = vllm_ascend; speculative { tokens = 2; acceptance = [0.7, 0.5]; "
        'draft = qwen3_8b; source = "a test" } }'
    )
    (tmp_path / "plan.spec").write_text(APART.format(**{**DENSE, "more": drafts}))
    specc("launch", "plan.spec", "--out", "out", "--target", "motor")
    config = json.loads((tmp_path / "out" / "user_config.json").read_text())
    decode = config["motor_engine_decode_config"]["engine_config"]
    assert decode["speculative-config"]["model"].startswith("SET-ME")
    assert decode["no-enable-prefix-caching"] is True


def test_sizes_of_graphs_are_shared_by_ranks() -> None:
    assert capture_sizes(157, 1, 4)[-1] == 160
    assert all(size % 4 == 0 for size in capture_sizes(157, 1, 4))
    assert all(size % 6 == 0 for size in capture_sizes(9, 3, 2))


def test_weights_are_converted_where_the_plan_converts_them(specc, tmp_path) -> None:
    gpu = {"device": "h200", "engine": "software = vllm"}
    out = written(specc, tmp_path, quant="fp8", **gpu)
    assert "--quantization fp8" in (out / "serve.sh").read_text()
    written(specc, tmp_path, "--force", quant="w8a8", **gpu)
    assert "a checkpoint with weights of w8a8" in (out / "README.md").read_text()


def test_what_a_load_test_cannot_send_is_said(specc, tmp_path) -> None:
    sessions = "simulate { arrival = poisson(1 req/s); requests = 40; sessions { turns = 3 } }"
    out = written(specc, tmp_path, study=sessions)
    readme = (out / "README.md").read_text()
    assert "without what the turns of a session have in common" in readme


def test_no_configuration_is_none_to_launch(specc, tmp_path) -> None:
    (tmp_path / "plan.spec").write_text(
        PLAN.format(**USUAL).replace("tpot <= 60 ms", "tpot <= 1 us")
    )
    said = specc("launch", "plan.spec", "--out", "out", code=3).stderr
    assert "no configuration of 's' keeps its limits" in said
    assert not (tmp_path / "out").exists()
