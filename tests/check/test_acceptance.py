"""`acceptance_from(file)`: the acceptance of drafts from a load test."""

import math

import pytest

from tests.loadtest.files import vllm_file

SPEC = """\
use std.devices
use std.models
workload w {{ input = 100 tok; output = 50 tok }}
deployment d {{
    model = deepseek_v3; device = atlas_800_a3_752t_die; devices = 16; quant = bf16
    engine {{ speculative {{ tokens = [1]; acceptance = {acceptance} }} }}
}}
study s {{ workload = w; deployments = [d] }}
"""
RATES = [0.8, 0.5, 0.2]


def found_in(checked, acceptance: str):
    document, diagnostics = checked(SPEC.format(acceptance=acceptance))
    if document is None:
        return diagnostics
    return document.studies[0].deployments[0].engine.speculative.acceptance


def test_it_is_read_by_position(checked, tmp_path) -> None:
    vllm_file(tmp_path, spec_decode_per_position_acceptance_rates=RATES,
              spec_decode_acceptance_length=2.5)  # fmt: skip
    assert found_in(checked, 'acceptance_from("result.json")') == tuple(RATES)
    assert found_in(checked, 'acceptance_from("result.json", tokens = 1)') == (0.8,)
    document, _ = checked(SPEC.format(acceptance='acceptance_from("result.json")'))
    speculative = document.studies[0].deployments[0].engine.speculative
    assert speculative.source == "a load test, result.json"


def test_a_mean_is_dealt_to_the_tokens(checked, tmp_path) -> None:
    vllm_file(tmp_path, spec_decode_acceptance_length=2.5)
    shares = found_in(checked, 'acceptance_from("result.json", tokens = 3)')
    assert math.fsum(shares) == pytest.approx(1.5)
    assert shares[1] == pytest.approx(shares[0] ** 2)


@pytest.mark.parametrize(
    ("fields", "call", "code", "message"),
    [
        ({}, 'acceptance_from("result.json")', "E0014", "does not say which drafted tokens"),
        ({"spec_decode_acceptance_length": 2.5}, 'acceptance_from("result.json")', "E0014",
         "does not say which drafted tokens"),
        ({"spec_decode_acceptance_length": 3.5}, 'acceptance_from("result.json", tokens = 1)',
         "E0014", "3.5 tokens a step, more than 1 drafted tokens can give"),
        ({}, 'acceptance_from("none.json")', "E0001", "cannot read"),
        ({}, "acceptance_from()", "E0401", "lacks the name of a file"),
        ({"spec_decode_per_position_acceptance_rates": ["x"]}, 'acceptance_from("result.json")',
         "E0014", "not a number"),
        ({}, 'lengths_from("result.json")', "E0301", "list of numbers"),
    ],
)  # fmt: skip
def test_what_says_nothing(checked, tmp_path, fields, call, code, message) -> None:
    vllm_file(tmp_path, **fields)
    diagnostics = found_in(checked, call)
    assert [d.code for d in diagnostics] == [code]
    assert message in diagnostics[0].message


def test_several_runs_are_no_answer(checked, tmp_path) -> None:
    (tmp_path / "runs").mkdir()
    for name in ("a.json", "b.json"):
        vllm_file(tmp_path / "runs", name, spec_decode_per_position_acceptance_rates=RATES)
    (problem,) = found_in(checked, 'acceptance_from("runs")')
    assert problem.code == "E0014"
    assert "has 2 runs" in problem.message
