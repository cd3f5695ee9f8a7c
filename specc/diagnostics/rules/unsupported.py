"""What the language knows and this version cannot evaluate."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import LIBRARY

RULES = (
    Rule(
        "E0501",
        "not supported by this version",
        "The language has this, but this version of specc cannot evaluate it. This is an error, "
        "because a report that ignores part of the spec would mislead.",
        LIBRARY + "deployment a3 { model = qwen3_32b; device = test_device; devices = 8; "
        "cluster { nodes = 4 } }",
        LIBRARY + "deployment a3 { model = qwen3_32b; device = test_device; devices = 8 }",
    ),
)
