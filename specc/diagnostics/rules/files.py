"""Rules of files: what is read and what is written."""

from specc.diagnostics.rule import Rule

RULES = (
    Rule(
        "E0001",
        "a file cannot be read",
        "The file is missing, may not be read, or is not a regular file but a folder, a FIFO, a "
        "device or a socket. A path in a spec is relative to the file that names it, not to where "
        "specc is run.",
        'use "no_such_file.spec"',
        "use std.devices",
    ),
    Rule(
        "E0002",
        "a file is not a text file",
        "A spec is UTF-8 text. This file holds bytes that are not, or the NUL bytes of a binary "
        "file. Save it as UTF-8 in the editor.",
        "let a = 1\0",
        "let a = 1",
    ),
    Rule(
        "E0003",
        "a file is too large",
        "Files over 16 MiB are refused: a spec is a few kilobytes, so this is most likely another "
        "file.",
        session="specc check recording.bin",
    ),
    Rule(
        "E0004",
        "the content of a file cannot be understood",
        "A Hugging Face config.json is read into a model. The cost model must support its "
        "architecture, and all sizes must be given; nothing is guessed. A table is read by the "
        "ending of its name (.csv, .tsv, .jsonl, .json, .yaml, each also with .gz); the message "
        "names "
        "the line and the column, and the value.",
        'model mine { config = "bamba.json" }',
        "use std.models",
    ),
    Rule(
        "E0005",
        "a file includes itself",
        "A uses B and B uses A, perhaps through others. Move what both need into a third file.",
        'use "itself.spec"',
        "use std.devices",
    ),
    Rule(
        "E0006",
        "a file cannot be written",
        "A command writes all of its files or none: temporary files first, renamed at the end. "
        "One of them could not be written, so the old files are still there. specc also refuses "
        "to write to a file that the run reads, to a spec, to anything but a regular file, and "
        "through a link. Only --out creates folders. The same holds for a spec that 'specc fmt' "
        "or 'specc check --fix' would change; where that is a link, its target is changed.",
        session="specc run plan.spec --out /proc",
    ),
    Rule(
        "E0007",
        "a results file is stale",
        "`specc run --check` compares the report on disk with what a run would write. They "
        "differ: the "
        "spec, a file it uses, or specc has changed. Run it again and commit the report.",
        session="specc run plan.spec --check",
    ),
    Rule(
        "E0008",
        "an override is malformed",
        "An override names a field and gives it a value: --set workload.chat.output=2000tok. The "
        "name of the kind may be left out.",
        session="specc check plan.spec --set chat",
    ),
    Rule(
        "E0009",
        "the formatter failed its own check",
        "`specc fmt` changes only white space and verifies that. It found that it would have "
        "changed more, so the file was left as it is. This is a bug in specc.",
        session="specc fmt plan.spec",
    ),
    Rule(
        "E0010",
        "a table of measurements cannot be used",
        "calibrate and validate read tables in CSV, TSV, JSON lines or YAML, also compressed (.gz). "
        "Kernels: a benchmark with 'Average Duration(us)', "
        "'Input Shapes' and 'Quant Type', with the sizes of attention or of experts; or a profiler "
        "export (op_summary_*.csv, kernel_details.csv) with 'OP Type', 'Input Shapes', 'Output "
        "Shapes', 'Input Data Types' and a duration in us; or a table of AIConfigurator with 'latency' "
        "in ms and gemm_dtype, attn_dtype, nccl_dtype or allreduce_dtype. Steps: case, model, device, phase, "
        "num_queries, query_len, context_len, tp, dp, ep, linear, measured_ms. Served runs: "
        "hardware, n_devices, model, quant, mode, input_len, throughput_tok_s; or those of "
        "AIConfigurator: backend, model_path, system, mode, isl, osl, silicon_tpot_ms.",
        session="specc validate ops notes.csv --device atlas_800_a2_376t",
    ),
    Rule(
        "E0011",
        "an optional library is missing",
        "This command uses a library that a plain installation leaves out. The message says which "
        "extra of specc brings it.",
        session="specc calibrate kernels.csv --device atlas_800_a2_376t",
    ),
    Rule(
        "E0012",
        "a result file cannot be loaded",
        "The file is not a result file of specc, or another version wrote it in another format. "
        "Result "
        "files of this version have format 4; run the spec again to write one.",
        session="python -c \"import specc; specc.load_results('plan.result.json')\"",
    ),
    Rule(
        "E0013",
        "a file outside of the repository",
        "A spec in a git repository may read only files of that repository, after links are "
        "followed; git's own folder is not part of it. This makes it safe to check a merge "
        "request from a stranger: it cannot find out which other files the machine has. Move the "
        "file into the repository, or allow its folder: --allow-path DIR on the "
        "command line, allow_paths in Python. Installed packages of specs are not affected; "
        "neither are specs outside of a git repository.",
        session="specc check plan.spec --allow-path ../traces",
    ),
    Rule(
        "E0014",
        "the result of a load test cannot be used",
        "compare, calibrate and acceptance_from read what these tools write: vllm bench serve "
        "(--save-result, better with --save-detailed), guidellm (benchmarks.json), aiperf "
        "(profile_export_aiperf.json), evalscope perf (benchmark_summary.json), ais_bench "
        "(<dataset>.json with <dataset>.csv beside it) and sglang.bench_serving (JSON lines); or a "
        "folder of such files. The same code stands for the log of an engine's start that has no "
        "line on its memory. A run in which nothing succeeded, that was cancelled, or whose units "
        "contradict each other is refused.",
        session="specc compare notes.json",
    ),
    Rule(
        "E0015",
        "a load test is not of what it is compared with",
        "The file names another model or other sizes of the layout than the configuration, or what "
        "flags say cannot be simulated. A prediction of something else than what was measured would "
        "say nothing.",
        session="specc compare result.json --model qwen3_32b --device atlas_800_a2_376t --devices 3",
    ),
    Rule(
        "E0016",
        "a configuration cannot be launched",
        "launch writes files for vLLM-Ascend, vLLM and MindIE Motor. The deployment must name its "
        "engine, whose flags and rules decide what can be written: which layouts it starts, which "
        "prefill and decode instances its connector joins, how instances lie on servers. The "
        "report's other configurations have numbers: --configuration 2.",
        session="specc launch plan.spec --out launch",
    ),
    Rule(
        "E0017",
        "a template cannot be filled in",
        "A template of your own, in the folder of --templates, is no Jinja template, or asks for a "
        "name that there is not. The templates of specc, which it replaces by name, are in "
        "templates/launch.",
        session="specc launch plan.spec --out launch --templates mine",
    ),
    Rule(
        "E0018",
        "a text launches nothing that is known",
        "import reads commands that start a server (vllm serve, python -m "
        "vllm.entrypoints.openai.api_server, python -m sglang.launch_server), scripts with such "
        "commands, and the user_config.json of MindIE Motor. Variables that the text sets are "
        "filled in; flags whose values come from elsewhere are listed as not carried over.",
        session='specc import "python server.py"',
    ),
    Rule(
        "E0019",
        "a file of a git revision cannot be had",
        "`specc diff main:plan.spec plan.spec` compares a file with what it was in a revision, "
        "together with all other files of that revision. git knows no such revision, there is no "
        "such file in it, it has errors there, or the current folder is in no repository. The file "
        "is named from the root of the repository, or from the current folder.",
        session="specc diff no-such-branch:plan.spec plan.spec",
    ),
)
