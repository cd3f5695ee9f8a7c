"""Rules of a value by itself: its type, its unit, its size."""

from specc.diagnostics.rule import Remedy, Rule
from specc.diagnostics.rules.shared import LIBRARY, NEAR_MISS

RULES = (
    Rule(
        "E0301",
        "a value has the wrong type",
        "The value is of another type than the field takes: a text for a number, a list for one "
        "value, a fraction for a whole number.",
        "workload chat { input = [3500 tok]; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    Rule(
        "E0302",
        "a value has the wrong dimension",
        "Quantities have dimensions (time, data size, tokens, rates of them), and these must agree in "
        "a sum, a comparison and a field.",
        "workload chat { input = 3500 tok; output = 1500 tok; slo { tpot <= 50 GiB } }",
        "workload chat { input = 3500 tok; output = 1500 tok; slo { tpot <= 50 ms } }",
    ),
    Rule(
        "E0303",
        "a number has no unit",
        "A number with a dimension carries its unit, so that a reader need not guess whether 50 are "
        "ms or s.",
        "workload chat { input = 3500; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
        remedy=Remedy("Write {text}"),
    ),
    Rule(
        "E0304",
        "an unknown unit",
        "The unit is not known. Units: tok req us ms s min h B KB MB GB TB KiB MiB GiB TiB FLOPS to "
        "PFLOPS % W kW CNY USD EUR, and rates such as GB/s.",
        "workload chat { input = 3500 token; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
        remedy=NEAR_MISS,
    ),
    Rule(
        "E0305",
        "a number cannot be computed",
        "The number is too large to hold, or comes from a division by zero.",
        "let share = 1 / 0",
        "let share = 1 / 2",
    ),
    Rule(
        "E0306",
        "an unknown choice",
        "The field takes one of a few words.",
        LIBRARY
        + "deployment a { model = qwen3_8b; device = test_device; devices = 1; quant = int8 }",
        LIBRARY
        + "deployment a { model = qwen3_8b; device = test_device; devices = 1; quant = w8a8_dynamic }",
        remedy=NEAR_MISS,
    ),
)
