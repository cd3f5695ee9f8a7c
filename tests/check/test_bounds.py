"""Every number of the vocabulary has bounds, and they hold wherever the number comes from."""

import json
from pathlib import Path

import pytest

from specc.check import check
from specc.check.convert import convert
from specc.check.problems import ProblemError
from specc.diagnostics import Source, Span
from specc.ir import KINDS
from specc.ir.vocabulary import (
    BlocksType,
    BlockType,
    Node,
    NumberType,
    TableType,
    entries,
)
from specc.units import Quantity
from specc.workspace import Workspace

SPAN = Span(Source("plan.spec", "1"), 0, 1)


def _classes(cls: type[Node]) -> list[type[Node]]:
    found = [cls]
    for _, entry in entries(cls).values():
        if isinstance(entry.type, BlockType | BlocksType | TableType):
            found += _classes(entry.type.cls)
    return found


NUMBERS = {
    f"{cls.__name__}.{name}": entry.type
    for kind in KINDS.values()
    for cls in _classes(kind)
    for name, (_, entry) in entries(cls).items()
    if isinstance(entry.type, NumberType)
}


def _given(type_: NumberType, number: float) -> object:
    return convert(type_, Quantity(number, type_.dimension), SPAN, "field")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_keeps_within_finite_bounds(name: str) -> None:
    """The ends are taken, what lies beyond is refused, and the message says the end."""
    type_ = NUMBERS[name]
    range_ = type_.range
    top = range_.at_most if range_.at_most is not None else range_.below
    assert top is not None
    assert -(10**21) <= range_.at_least < top <= 10**21
    low = -(-range_.at_least // 1) if type_.whole else range_.at_least
    assert _given(type_, low) == low
    beyond = [range_.at_least - 1, range_.at_least * 0.5 if range_.at_least > 0 else -1e9 - 1]
    beyond += [top * 2 + 1, 10**30]
    for number in beyond:
        with pytest.raises(ProblemError) as refused:
            _given(type_, round(number) if type_.whole else number)
        found = refused.value.diagnostic
        assert found.code in ("E0402", "E0301")
        assert "e+30" not in found.help


def test_positive_quantities_have_a_smallest_one(checked) -> None:
    """Not only 0 is refused: what is left of a division by 1e-300 is no number."""
    _, found = checked(
        "use std.devices\nuse std.models\nworkload w { input = 1 tok; output = 1 tok }\n"
        "deployment d { model = qwen3_8b; device = h100; devices = 1; fleet { rate = 1e-8 req/s } }"
    )
    assert [d.code for d in found] == ["E0402"]
    assert found[0].help == "it must be at least 1e-06 req/s"


CONFIG = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "num_hidden_layers": 28,
    "hidden_size": 512,
    "vocab_size": 32_000,
    "max_position_embeddings": 4096,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 256,
}


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"vocab_size": 10**310}, "E0402", "'vocab_size' is out of its range"),
        ({"hidden_size": 10**9}, "E0402", "'hidden_size' is out of its range"),
        ({"mlp_only_layers": 1}, "E0004", "'mlp_only_layers' of 'c.json' is 1"),
        ({"mlp_only_layers": [28]}, "E0004", "'mlp_only_layers' of 'c.json' is [28]"),
        ({"mlp_only_layers": list(range(28))}, "E0402", "'experts.layers' is out of its range"),
        ({"num_experts": "x" * 9999}, "E0004", None),
        ({"torch_dtype": "x" * 9999}, "E0004", None),
        ({"architectures": ["x" * 9999]}, "E0004", None),
    ],
)
def test_numbers_of_a_configuration_have_the_same_bounds(
    changes: dict[str, object], code: str, message: str | None, tmp_path: Path
) -> None:
    (tmp_path / "c.json").write_text(json.dumps({**CONFIG, **changes}))
    (tmp_path / "plan.spec").write_text('model m { config = "c.json" }')
    _, found = check(Workspace(tmp_path), tmp_path / "plan.spec")
    assert [d.code for d in found] == [code]
    assert message is None or found[0].message == message
    assert len(found[0].sentence) < 900


OF_QWEN = ("num_experts", "use_sliding_window")


def test_dense_layers_of_a_configuration_are_some_of_the_layers(tmp_path: Path) -> None:
    """60 dense layers of 28 leave -32 with experts: the file is refused, and says so."""
    config = {
        **{key: value for key, value in CONFIG.items() if key not in OF_QWEN},
        "architectures": ["Glm4MoeForCausalLM"],
        "intermediate_size": 512,
        "n_routed_experts": 8,
        "first_k_dense_replace": 60,
    }
    (tmp_path / "c.json").write_text(json.dumps(config))
    (tmp_path / "plan.spec").write_text('model m { config = "c.json" }')
    _, found = check(Workspace(tmp_path), tmp_path / "plan.spec")
    assert found[0].message == "'experts.layers' is out of its range"
    assert found[0].why == "computed from 'c.json': -32"
    config["first_k_dense_replace"] = 3
    (tmp_path / "c.json").write_text(json.dumps(config))
    assert not check(Workspace(tmp_path), tmp_path / "plan.spec")[1]


def test_a_model_of_possible_sizes_may_still_be_impossible(checked) -> None:
    _, found = checked(
        "use std.models\nmodel m extends qwen3_8b "
        "{ hidden_size = 1000000; intermediate_size = 1000000; layers = 10000 }"
    )
    assert [d.code for d in found] == ["E0427"]
