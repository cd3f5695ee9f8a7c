"""Rules of any block: what must be in it, and what it states."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules.shared import ALL, WORKLOAD

_OF_E0406 = (
    "E0411", "E0412", "E0413", "E0414", "E0415", "E0416", "E0417",
    "E0421", "E0422", "E0423", "E0424", "E0425", "E0426", "E0427",
    "E0431", "E0432", "E0433", "E0434", "E0435", "E0436", "E0437", "E0438", "E0439",
    "E0441", "E0442", "E0443", "E0444", "E0445", "E0446",
    "E0451", "E0452", "E0453", "E0454", "E0455", "E0456",
    "E0461", "E0462", "E0463", "E0464",
    "E0471", "E0472", "E0473", "E0474", "E0475", "E0476", "E0477", "E0478", "E0479",
    "E0481", "E0482", "E0483", "E0484", "E0485", "E0486", "E0487", "E0488", "E0489",
    "E0491", "E0492", "E0493", "E0494", "E0495", "E0496", "E0497", "E0498",
)  # fmt: skip

RULES = (
    Rule(
        "E0401",
        "a required field is missing",
        "A field without a default is missing.",
        "workload chat { input = 3500 tok }",
        "workload chat { input = 3500 tok; output = 1500 tok }",
    ),
    Rule(
        "E0402",
        "a value is out of its range",
        "The value is of the right type, but smaller or larger than the field allows.",
        "workload chat { input = 3500 tok; output = 1500 tok; prefix_hit = 130% }",
        "workload chat { input = 3500 tok; output = 1500 tok; prefix_hit = 30% }",
    ),
    Rule(
        "E0403",
        "a service-level objective has the wrong direction",
        "An objective limits a latency from above, and is written as a comparison.",
        "workload chat { input = 3500 tok; output = 1500 tok; slo { ttft >= 2 s } }",
        "workload chat { input = 3500 tok; output = 1500 tok; slo { ttft <= 2 s } }",
    ),
    Rule(
        "E0404",
        "the spec has no study to run",
        "`specc run` evaluates the studies of a spec, and this one has none.",
        session="specc run library_of_mine.spec",
    ),
    Rule(
        "E0405",
        "an assertion does not hold",
        "`assert` states a fact of the spec that others rely on. It does not hold any more; the "
        "message shows the values it saw.",
        WORKLOAD + 'assert chat.input <= 2Ki tok else "the benchmark was run with 2Ki"',
        WORKLOAD + 'assert chat.input <= 4Ki tok else "the benchmark was run with 4Ki"',
    ),
    Rule(
        "E0406",
        "values contradict each other",
        "This code stood for all rules between values that are right by themselves and do not fit "
        "together. Now each of these rules has a code of its own.",
        replaced_by=_OF_E0406,
    ),
    Rule(
        "E0407",
        "a context is longer than the model allows",
        "Prompt and output together are longer than the context the model was made for.",
        ALL.replace("3500", "40000") + "study s { workload = chat; deployments = [a3] }",
        ALL + "study s { workload = chat; deployments = [a3] }",
    ),
)
