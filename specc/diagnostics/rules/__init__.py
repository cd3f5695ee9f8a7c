"""All rules, by their code. One file a subject; E04… follows the blocks of the language."""

from specc.diagnostics.rule import Rule
from specc.diagnostics.rules import (
    blocks,
    files,
    model,
    names,
    placement,
    processes,
    serving,
    simulation,
    study,
    syntax,
    unsupported,
    values,
    warnings,
    work,
    workload,
)

RULES: dict[str, Rule] = {
    rule.code: rule
    for rules in (
        files.RULES,
        processes.RULES,
        syntax.RULES,
        names.RULES,
        values.RULES,
        blocks.RULES,
        workload.RULES,
        model.RULES,
        placement.RULES,
        serving.RULES,
        study.RULES,
        simulation.RULES,
        unsupported.RULES,
        work.RULES,
        warnings.RULES,
    )
    for rule in rules
}
