"""`specc explain` of codes, also of one that is not in use any more."""

import json

import pytest

from specc.cli import main
from specc.diagnostics.rules import RULES


def test_a_retired_code_names_those_that_took_its_place(capsys) -> None:
    assert main(["explain", "e0406"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("E0406, retired: values contradict each other")
    assert "    E0431  more devices than the interconnect connects\n" in out
    assert "Wrong" not in out


def test_a_code_with_a_quick_fix(capsys) -> None:
    main(["explain", "W0003"])
    assert "Quick fix:\n    Remove the unused 'let'" in capsys.readouterr().out


def test_codes_as_data(capsys) -> None:
    for code, rule in RULES.items():
        assert main(["explain", code, "--format", "json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert (data["code"], data["title"]) == (code, rule.title)
        assert data["severity"] == ("error" if code[0] == "E" else "warning")
        assert tuple(data["replaced_by"]) == rule.replaced_by


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("gpus", "write devices = 8"),
        ("max_num_seqs", "max_sequences"),
        ("tpt", "did you mean 'workload.slo.tpot'?"),
        ("outptu", "did you mean 'workload.output' or"),
        ("E0399", "did you mean 'E0"),
        ("zzzz", "blocks: workload, model"),
    ],
)
def test_a_word_without_a_page(capsys, what, said) -> None:
    assert main(["explain", what]) == 2
    assert said in capsys.readouterr().err
