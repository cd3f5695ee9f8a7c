"""Each rule with a plan; `python -m tests.rules 50` tries more."""

import random

import pytest

from tests.rules.rules import RULES, Rule


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(rule: Rule) -> None:
    case = rule(random.Random(f"{rule.__name__} 0"))
    assert case is None, f"{case.rule}: {case.seen}\n{case.before.text}\n{case.after.text}"
