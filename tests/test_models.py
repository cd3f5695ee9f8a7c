"""The models of the library: their table in `specs/README.md`, and a model written as a block.

`python -m tests.test_models` renews the table.
"""

import json
import re
from pathlib import Path

import pytest

from specc.cli.main import main
from specc.session import Session
from tests.conftest import ROOT

README = ROOT / "specs" / "README.md"
MARKED = re.compile(r"(<!-- specc list models -->\n).*?(<!-- end -->)", re.DOTALL)


def _billions(counted: float, published: float | None) -> str:
    said = "" if published is None else f" ({published / 1e9:.4g})"
    return f"{counted / 1e9:.4g}{said}"


def _mib(size: float) -> str:
    return f"{size / 2**20:.4g}" if size else ""


def _table() -> str:
    from specc.cli.commands.list import _models

    lines = [
        "| name | on Hugging Face | billion (published) | active (published) | KV KiB a token | "
        "windows MiB | state MiB |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in _models(""):
        total = _billions(row["parameters"], row["published_parameters"])
        active = _billions(row["active_parameters"], row["published_active_parameters"])
        lines.append(
            f"| `{row['name']}` | {row['aliases'][0]} | {total} | {active} | "
            f"{row['kv_bytes_per_token'] / 1024:.4g} | {_mib(row['window_bytes_per_sequence'])} | "
            f"{_mib(row['state_bytes_per_sequence'])} |"
        )
    return "\n".join(lines)


def _renewed(text: str) -> str:
    return MARKED.sub(lambda match: f"{match[1]}{_table()}\n{match[2]}", text)


def test_the_table_is_current() -> None:
    text = README.read_text(encoding="utf-8")
    assert MARKED.search(text)
    assert _renewed(text) == text


def test_models_are_listed_by_a_part_of_any_name(capsys) -> None:
    assert main(["list", "models", "kimi-k3", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["name"] == "kimi_k3"
    assert row["state_bytes_per_sequence"] == 69 * (96 * 128 * 128 * 4 + 3 * 36864 * 2)
    assert row["kv_bytes_per_token"] == 24 * (512 + 64) * 2
    assert main(["list", "models", "no such model"]) == 0
    assert "none of the models has 'no such model' in its name" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["devices", "calibrations", "architectures"])
def test_what_else_is_listed(what: str, capsys) -> None:
    assert main(["list", what]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert len(names) == len(set(names)) > 1
    assert main(["list", what, "--format", "json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == names


def test_the_block_of_a_refused_model_counts_as_its_publisher_does(tmp_path: Path) -> None:
    """Olmo-3-32B: 32,233,522,176 parameters by its card; a refused configuration prints a start."""
    block = re.search(r"```\n(model olmo_3_32b \{.*?\n\}\n)```", README.read_text(), re.DOTALL)
    assert block is not None
    plan = tmp_path / "plan.spec"
    rest = (
        "use std.devices\n{block}workload w {{ input = 8Ki tok; output = 256 tok }}\n"
        "deployment d {{ model = {model}; device = atlas_800_a3_752t_die; devices = 2 }}\n"
        "study s {{ workload = w; deployments = d }}\n"
    )
    plan.write_text(rest.format(block=block[1], model="olmo_3_32b"))
    session = Session(plan)
    assert session.diagnostics == []
    model = session.document.studies[0].deployments[0].model
    assert model.parameters == pytest.approx(32.2335e9, rel=0.01)
    assert model.full_layers == 16
    sizes = {
        "num_hidden_layers": 64, "hidden_size": 5120, "intermediate_size": 27648,
        "num_attention_heads": 40, "num_key_value_heads": 8, "vocab_size": 100278,
        "max_position_embeddings": 65536,
    }  # fmt: skip
    config = {"architectures": ["Olmo3ForCausalLM"], **sizes}
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused = 'model mine { config = "config.json" }\n'
    plan.write_text(rest.format(block=refused, model="mine"))
    (problem,) = Session(plan).diagnostics
    assert problem.code == "E0004"
    assert (
        "model NAME { layers = 64; hidden_size = 5120; intermediate_size = 27648; attention_heads "
        "= 40; kv_heads = 8; head_dim = …; vocab_size = 100278; max_positions = 65536 tok }"
        in problem.help
    )
    assert "specc list architectures" in problem.help


if __name__ == "__main__":
    README.write_text(_renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
