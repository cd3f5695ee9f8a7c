"""Rules of the syntax."""

from specc.diagnostics.rule import Rule

RULES = (
    Rule(
        "E0101",
        "the text does not follow the grammar",
        "The text stops following the grammar at the underlined word. Reading goes on at the next "
        "statement, so one mistake does not hide the others.",
        "let nodes = = 2",
        "let nodes = 2",
    ),
    Rule(
        "E0102",
        "a bracket is not closed",
        "Brackets come in pairs. Parentheses and square brackets may span lines; a statement that "
        "begins inside an open bracket ends it.",
        "workload chat {\n    input = 3500 tok\n    output = 1500 tok\n",
        "workload chat {\n    input  = 3500 tok\n    output = 1500 tok\n}\n",
    ),
    Rule(
        "E0103",
        "nesting is too deep",
        "Brackets, definitions that use definitions, and files that use files may be nested, but "
        "not without limit.",
        "let a = " + "(" * 70 + "1" + ")" * 70,
        "let a = 1",
    ),
)
