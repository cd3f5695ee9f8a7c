"""A page for every code: what it means, a wrong and a right example. `specc explain` prints them.

A test runs every example: the wrong one must give exactly its code, the right one nothing.
"""

from attrs import frozen


@frozen
class Page:
    """What a code means at length, with a spec that gives it and the mended one.

    `session` replaces the examples where no text of a spec gives the code.
    """

    text: str
    wrong: str = ""
    right: str = ""
    session: str = ""


_LIBRARY = "use std.devices\nuse std.models\n"
_WORKLOAD = "workload chat { input = 3500 tok; output = 1500 tok }\n"
_DEPLOYMENT = "deployment a3 { model = qwen3_8b; device = test_device; devices = 8 }\n"
_ALL = _LIBRARY + _WORKLOAD + _DEPLOYMENT

PAGES: dict[str, Page] = {
    "E0001": Page(
        "The file is missing, is a folder, or may not be read. A path in a spec is relative to the "
        "file that names it, not to where specc is run.",
        'use "no_such_file.spec"',
        "use std.devices",
    ),
    "E0002": Page(
        "A spec is UTF-8 text. This file holds bytes that are not, or the NUL bytes of a binary "
        "file. Save it as UTF-8 in the editor.",
        "let a = 1\0",
        "let a = 1",
    ),
    "E0003": Page(
        "Files over 16 MiB are refused: a spec is a few kilobytes, so this is most likely another "
        "file.",
        session="specc check recording.bin",
    ),
    "E0004": Page(
        "A Hugging Face config.json is read into a model. Its architecture must be one that the cost "
        "model has rules for, and the sizes must be there; nothing is guessed. A table is read by the "
        "ending of its name (.csv, .tsv, .jsonl, .json, .yaml, each also with .gz); the message names "
        "the line and the column, and what stands there.",
        'model mine { config = "bamba.json" }',
        "use std.models",
    ),
    "E0005": Page(
        "A uses B and B uses A, perhaps through others. Move what both need into a third file.",
        'use "itself.spec"',
        "use std.devices",
    ),
    "E0006": Page(
        "A report is written whole or not at all: first all files beside their targets, then all "
        "renamed. One of them could not be written, so the old files are still there.",
        session="specc run plan.spec --out /proc",
    ),
    "E0007": Page(
        "`specc run --check` compares the report on disk with what a run would write. They differ: the "
        "spec, a file it uses, or specc has changed. Run it again and commit the report.",
        session="specc run plan.spec --check",
    ),
    "E0008": Page(
        "An override names a field and gives it a value: --set workload.chat.output=2000tok. The "
        "name of the kind may be left out.",
        session="specc check plan.spec --set chat",
    ),
    "E0009": Page(
        "`specc fmt` changes white space alone and verifies that. It found that it would have "
        "changed more, so the file was left as it is. This is a fault of specc.",
        session="specc fmt plan.spec",
    ),
    "E0010": Page(
        "calibrate and validate read tables in CSV, TSV, JSON lines or YAML, also packed (.gz). Kernels: a benchmark with 'Average Duration(us)', "
        "'Input Shapes' and 'Quant Type', with the sizes of attention or of experts; or a profiler "
        "export (op_summary_*.csv, kernel_details.csv) with 'OP Type', 'Input Shapes', 'Output "
        "Shapes', 'Input Data Types' and a duration in us. Steps: case, model, device, phase, "
        "num_queries, query_len, context_len, tp, dp, ep, linear, measured_ms. Served runs: hardware, "
        "n_devices, model, quant, mode, input_len, throughput_tok_s.",
        session="specc validate ops notes.csv --device atlas_800_a2_376t",
    ),
    "E0011": Page(
        "This command uses a library that a plain installation leaves out. The message says which "
        "extra of specc brings it.",
        session="specc calibrate kernels.csv --device atlas_800_a2_376t",
    ),
    "E0012": Page(
        "The file is no result file of specc, or another version wrote it in another format. Result "
        "files of this version have format 4; run the spec again to write one.",
        session="python -c \"import specc; specc.load_results('plan.result.json')\"",
    ),
    "E0101": Page(
        "The text stops following the grammar at the underlined word. Reading goes on at the next "
        "statement, so one mistake does not hide the others.",
        "let nodes = = 2",
        "let nodes = 2",
    ),
    "E0102": Page(
        "Brackets come in pairs. Parentheses and square brackets may span lines; a statement that "
        "begins while one is open ends it.",
        "workload chat {\n    input = 3500 tok\n    output = 1500 tok\n",
        "workload chat {\n    input  = 3500 tok\n    output = 1500 tok\n}\n",
    ),
    "E0103": Page(
        "Brackets, definitions that use definitions, and files that use files may be nested, but "
        "not without end.",
        "let a = " + "(" * 70 + "1" + ")" * 70,
        "let a = 1",
    ),
    "E0201": Page(
        "Blocks of a file are of a fixed set of kinds.",
        "wrokload chat { input = 3500 tok; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    "E0202": Page(
        "The block has no such field, constraint or block, or the statement stands where it cannot.",
        "workload chat { inputs = 3500 tok; input = 3500 tok; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    "E0203": Page(
        "A name stands for a let, a block of this file or of a file it uses, or a choice. This one "
        "stands for none. Library names need `use std.devices` or `use std.models`.",
        "let total = 8 * nodes",
        "let nodes = 2\nlet total = 8 * nodes",
    ),
    "E0204": Page(
        "A name is defined once, and a field given once in a block. That holds for names of used "
        "files too: hiding one would mislead a reader. Use one of the files under an alias.",
        "let nodes = 1\nlet nodes = 2",
        "let nodes = 1\nlet racks = 2",
    ),
    "E0205": Page(
        "The name exists, but it is of another kind than the field takes.",
        "use std.devices\n"
        + _WORKLOAD
        + "deployment a { model = test_device; device = test_device; devices = 1 }",
        _LIBRARY
        + _WORKLOAD
        + "deployment a { model = qwen3_8b; device = test_device; devices = 1 }",
    ),
    "E0206": Page(
        "A definition needs itself, perhaps through others, so it has no value.",
        "let a = b + 1\nlet b = a + 1",
        "let a = 1\nlet b = a + 1",
    ),
    "E0207": Page(
        "Blocks of a file are referred to by their name, so they must have one.",
        "workload { input = 3500 tok; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    "E0208": Page(
        "`use` takes a module of the standard library, one of an installed package of specs, or the "
        "path of a file in quotes. grammar/README.md tells how to publish a package.",
        "use std.device",
        "use std.devices",
    ),
    "E0301": Page(
        "The value is of another type than the field takes: a text for a number, a list for one "
        "value, a fraction for a whole number.",
        "workload chat { input = [3500 tok]; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    "E0302": Page(
        "Quantities have dimensions (time, data size, tokens, rates of them), and these must agree in "
        "a sum, a comparison and a field.",
        "workload chat { input = 3500 tok; output = 1500 tok; slo { tpot <= 50 GiB } }",
        "workload chat { input = 3500 tok; output = 1500 tok; slo { tpot <= 50 ms } }",
    ),
    "E0303": Page(
        "A number with a dimension carries its unit, so that a reader need not guess whether 50 are "
        "ms or s.",
        "workload chat { input = 3500; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    "E0304": Page(
        "The unit is not known. Units: tok req us ms s min h B KB MB GB TB KiB MiB GiB TiB FLOPS to "
        "PFLOPS % W kW CNY USD EUR, and rates such as GB/s.",
        "workload chat { input = 3500 token; output = 1500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    "E0305": Page(
        "The number is too large to hold, or comes from a division by zero.",
        "let share = 1 / 0",
        "let share = 1 / 2",
    ),
    "E0306": Page(
        "The field takes one of a few words.",
        _LIBRARY
        + "deployment a { model = qwen3_8b; device = test_device; devices = 1; quant = int8 }",
        _LIBRARY
        + "deployment a { model = qwen3_8b; device = test_device; devices = 1; quant = w8a8_dynamic }",
    ),
    "E0401": Page(
        "A field without a default is missing.",
        "workload chat { input = 3500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    "E0402": Page(
        "The value is of the right type, but smaller or larger than the field allows.",
        "workload chat { input = 3500 tok; output = 1500 tok; prefix_hit = 130% }",
        "workload chat { input = 3500 tok; output = 1500 tok; prefix_hit = 30% }",
    ),
    "E0403": Page(
        "An objective limits a latency from above, and is written as a comparison.",
        "workload chat { input = 3500 tok; output = 1500 tok; slo { ttft >= 2 s } }",
        "workload chat { input = 3500 tok; output = 1500 tok; slo { ttft <= 2 s } }",
    ),
    "E0404": Page(
        "`specc run` evaluates the studies of a spec, and this one has none.",
        session="specc run library_of_mine.spec",
    ),
    "E0405": Page(
        "`assert` states a fact of the spec that others rely on. It does not hold any more; the "
        "message shows the values it saw.",
        _WORKLOAD + 'assert chat.input <= 2Ki tok else "the benchmark was run with 2Ki"',
        _WORKLOAD + 'assert chat.input <= 4Ki tok else "the benchmark was run with 4Ki"',
    ),
    "E0406": Page(
        "Each value is right by itself, but they do not fit together.",
        _LIBRARY + "deployment a { model = qwen3_8b; device = test_device; devices = 3000 }",
        _LIBRARY + "deployment a { model = qwen3_8b; device = test_device; devices = 2048 }",
    ),
    "E0407": Page(
        "Prompt and answer together are longer than the context the model was made for.",
        _ALL.replace("3500", "40000") + "study s { workload = chat; deployments = [a3] }",
        _ALL + "study s { workload = chat; deployments = [a3] }",
    ),
    "E0501": Page(
        "The language has this, but this version of specc cannot evaluate it. It is refused rather "
        "than ignored, because a report that leaves out half of the spec would mislead.",
        _LIBRARY + "deployment a3 { model = qwen3_32b; device = test_device; devices = 8; "
        "cluster { nodes = 4 } }",
        _LIBRARY + "deployment a3 { model = qwen3_32b; device = test_device; devices = 8 }",
    ),
    "W0001": Page(
        "k M G are powers of 1000, Ki Mi Gi of 1024. Lengths of 4k, 8k, 16k … are often meant as "
        "powers of two; written out, 8000 tok stays without a hint.",
        "workload chat { input = 8k tok; output = 1500 tok }",
        "workload chat { input = 8Ki tok; output = 1500 tok }",
    ),
    "W0002": Page("The file holds no statement.", "# nothing but a comment", "let a = 1"),
    "W0003": Page(
        "The let is not used in this file. It may be a leftover, or a name misspelt where it was to "
        "be used.",
        "let nodes = 2\n"
        + _WORKLOAD
        + "study s { workload = chat; deployments = [a3] }\n"
        + _LIBRARY
        + _DEPLOYMENT,
        "let nodes = 2\n"
        + _WORKLOAD
        + "study s { workload = chat; deployments = [a3] }\n"
        + _LIBRARY
        + _DEPLOYMENT.replace("8 }", "8 * nodes }"),
    ),
    "W0004": Page(
        "Nothing of the file that is used here is used.",
        "use std.devices\n" + _WORKLOAD,
        _WORKLOAD,
    ),
    "W0005": Page(
        "git ignores this file, so it will not be committed: the usual Python ignore list has "
        "*.spec for PyInstaller. `specc init` writes the line that takes it back.",
        session="specc check plan.spec",
    ),
    "W0006": Page(
        "After 200 problems the rest is left out: many of them are likely to have one cause.",
        session="specc check generated.spec",
    ),
}
