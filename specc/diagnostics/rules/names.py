"""Rules of names: each stands for one thing, which is there."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import LIBRARY, NEAR_MISS, WORKLOAD

RULES = (
    Rule(
        "E0201",
        "an unknown kind of block",
        "Blocks of a file are of a fixed set of kinds.",
        "wrokload chat { input = 3500 tok; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
        remedy=NEAR_MISS,
    ),
    Rule(
        "E0202",
        "an unknown field",
        "The block has no such field, constraint or block, or the statement stands where it "
        "cannot.",
        "workload chat { inputs = 3500 tok; input = 3500 tok; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
        remedy=NEAR_MISS,
    ),
    Rule(
        "E0203",
        "an unknown name",
        "A name stands for a let, a block of this file or of a file it uses, or a choice. This one "
        "stands for none. Library names need `use std.devices` or `use std.models`.",
        "let total = 8 * nodes",
        "let nodes = 2\nlet total = 8 * nodes",
        remedy=NEAR_MISS,
    ),
    Rule(
        "E0204",
        "a name or field is given twice",
        "A name is defined once, and a field given once in a block. That holds for names of used "
        "files too: hiding one would mislead a reader. Use one of the files under an alias.",
        "let nodes = 1\nlet nodes = 2",
        "let nodes = 1\nlet racks = 2",
    ),
    Rule(
        "E0205",
        "a name refers to the wrong kind of thing",
        "The name exists, but it is of another kind than the field takes.",
        "use std.devices\n"
        + WORKLOAD
        + "deployment a { model = test_device; device = test_device; devices = 1 }",
        LIBRARY + WORKLOAD + "deployment a { model = qwen3_8b; device = test_device; devices = 1 }",
    ),
    Rule(
        "E0206",
        "a definition refers to itself",
        "A definition needs itself, perhaps through others, so it has no value.",
        "let a = b + 1\nlet b = a + 1",
        "let a = 1\nlet b = a + 1",
    ),
    Rule(
        "E0207",
        "a block has no name",
        "Blocks of a file are referred to by their name, so they must have one.",
        "workload { input = 3500 tok; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    Rule(
        "E0208",
        "an unknown module",
        "`use` takes a module of the standard library, one of an installed package of specs, or "
        "the "
        "path of a file in quotes. grammar/README.md says how to publish a package.",
        "use std.device",
        "use std.devices",
        remedy=NEAR_MISS,
    ),
)
