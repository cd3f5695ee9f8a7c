"""Warnings: what is allowed, and most likely not meant."""

from specc.diagnostics.rule import Remedy, Rule
from specc.diagnostics.rules.shared import DEPLOYMENT, LIBRARY, WORKLOAD, deployment, measured

RULES = (
    Rule(
        "W0001",
        "a number of thousands looks like a power of two",
        "k M G are powers of 1000, Ki Mi Gi of 1024. Lengths of 4k, 8k, 16k … are often meant as "
        "powers of two; written out, 8000 tok stays without a hint.",
        "workload chat { input = 8k tok; output = 1500 tok }",
        "workload chat { input = 8Ki tok; output = 1500 tok }",
        remedy=Remedy("Change to {text}"),
    ),
    Rule(
        "W0002",
        "a file is empty",
        "The file holds no statement.",
        "# nothing but a comment",
        "let a = 1",
    ),
    Rule(
        "W0003",
        "a let is not used",
        "The let is not used in this file. It may be a leftover, or a name misspelt where it "
        "should be used.",
        "let nodes = 2\n"
        + WORKLOAD
        + "study s { workload = chat; deployments = [a3] }\n"
        + LIBRARY
        + DEPLOYMENT,
        "let nodes = 2\n"
        + WORKLOAD
        + "study s { workload = chat; deployments = [a3] }\n"
        + LIBRARY
        + DEPLOYMENT.replace("8 }", "8 * nodes }"),
        remedy=Remedy("Remove the unused 'let'", safe=True),
    ),
    Rule(
        "W0004",
        "a 'use' is not needed",
        "No name from this file is used.",
        "use std.devices\n" + WORKLOAD,
        WORKLOAD,
        remedy=Remedy("Remove the unused 'use'", safe=True),
    ),
    Rule(
        "W0005",
        "git ignores the file",
        "git ignores this file, so it will not be committed: the usual Python ignore list has "
        "*.spec for PyInstaller. `specc init` adds the line that keeps specs.",
        session="specc check plan.spec",
    ),
    Rule(
        "W0006",
        "there are more problems than are shown",
        "Only the first 200 problems are shown: many of them are likely to have one cause.",
        session="specc check generated.spec",
    ),
    Rule(
        "W0007",
        "a name has changed",
        "The field or fact has another name in this version. The old name still works, but may be "
        "removed in a later version. `specc check --fix` writes the new name.",
        measured("simulate { arrival = poisson(2 req/s); replicas = 2 }"),
        measured("simulate { arrival = poisson(2 req/s); instances = 2 }"),
        remedy=Remedy("Change to {text}", safe=True),
    ),
    Rule(
        "W0008",
        "the software cannot launch some of the sizes",
        "Some of the sizes to try cannot be launched by the engine that is named, so no layout "
        "has them. `specc explain E0447` has the rules.",
        deployment(
            "engine { software = vllm_ascend }; parallel { ep = [2, 8] }",
            "model = qwen3_30b_a3b",
            device="atlas_800_a2_376t",
        ),
        deployment(
            "engine { software = vllm_ascend }; parallel { ep = [1, 8] }",
            "model = qwen3_30b_a3b",
            device="atlas_800_a2_376t",
        ),
    ),
    Rule(
        "W0009",
        "the software does not list pipeline stages for the model",
        "The documentation of vllm_ascend has a table of models with a mark at those that it runs "
        "in pipeline stages. This model has none, so it may not start.",
        deployment(
            "engine { software = vllm_ascend }; parallel { pp = 2 }", device="atlas_800_a2_376t"
        ),
        deployment(
            "engine { software = vllm_ascend }; parallel { pp = 1 }", device="atlas_800_a2_376t"
        ),
    ),
    Rule(
        "W0010",
        "int8 is slower than 16 bit on the device",
        "Some devices compute in int8 at a small fraction of their other rates (B300: 153.5 TOPS, "
        "and 2250 TFLOPS in bf16). A plan in w8a8 is slow there, and says nothing about the device "
        "with the format that it is made for.",
        deployment("quant = w8a8_dynamic", device="b300"),
        deployment("quant = fp8", device="b300"),
    ),
)
