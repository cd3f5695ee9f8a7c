"""What the language knows and this version cannot evaluate."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import LIBRARY

RULES = (
    Rule(
        "E0501",
        "the language knows this, this version cannot evaluate it",
        "The language has this, but this version of specc cannot evaluate it. It is refused rather "
        "than ignored, because a report that leaves out half of the spec would mislead.",
        LIBRARY + "deployment a3 { model = qwen3_32b; device = test_device; devices = 8; "
        "cluster { nodes = 4 } }",
        LIBRARY + "deployment a3 { model = qwen3_32b; device = test_device; devices = 8 }",
    ),
)
