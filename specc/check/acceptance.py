"""`acceptance_from("result.json")`: how often drafts were accepted in a load test."""

from specc.check.convert import FromFile, convert
from specc.check.evaluate import Called
from specc.check.problems import ProblemError, problem
from specc.ir.vocabulary import NumberType, TextType
from specc.loadtest import LoadTest, LoadTestError, read_load_tests
from specc.units import DIMENSIONLESS
from specc.workspace import UnreadableError, Workspace

_TOKENS = NumberType(DIMENSIONLESS, whole=True, at_least=1, at_most=32)


def acceptance_of(call: Called, workspace: Workspace) -> FromFile:
    """Return the share of steps in which the first, second, … drafted token was accepted.

    A file that has the mean alone needs `tokens`: as many were drafted, and each is accepted with
    the same probability if the one before was.

    Raises:
        ProblemError: the file has no such test, or does not say it.
    """
    if "file" not in call.arguments:
        raise problem(call.span, "E0401", "'acceptance_from' lacks the name of a file")
    value, span = call.arguments["file"]
    name: str = convert(TextType(), value, span, "file")
    tokens = call.arguments.get("tokens")
    count = None if tokens is None else int(convert(_TOKENS, *tokens, "tokens"))
    try:
        path = workspace.folder_of(call.span.source) / name
        tests = read_load_tests(workspace, path)
    except UnreadableError as error:
        raise ProblemError(error.diagnostic) from None
    except LoadTestError as error:
        raise problem(span, "E0014", error.message, why=error.why, help=error.help) from None
    if len(tests) > 1:
        raise problem(
            span,
            "E0014",
            f"'{name}' has {len(tests)} runs, and one says the acceptance",
            help="name the file of one run",
        )
    mean = tests[0].tokens_per_step
    if count is not None and not tests[0].acceptance and mean is not None and mean > count + 1.01:
        raise problem(
            tokens[1] if tokens is not None else span,
            "E0014",
            f"'{name}' has {mean:.4g} tokens a step, more than {count} drafted tokens can give",
            help="name as many tokens as the server drafted",
        )
    found = _acceptance(tests[0], count)
    if not found:
        raise problem(
            span,
            "E0014",
            f"'{name}' does not say which drafted tokens were accepted",
            why="it has their mean alone" if tests[0].tokens_per_step else "it drafted none",
            help="name the number of drafted tokens: acceptance_from(FILE, tokens = 3)"
            if tests[0].tokens_per_step
            else "vllm bench serve writes it of a server with speculative decoding, and aiperf "
            "beside server_metrics_export.json",
        )
    return FromFile(found, f"a load test, {name}")


def _acceptance(test: LoadTest, count: int | None) -> tuple[float, ...]:
    if test.acceptance:
        return test.acceptance[:count]
    if count is None or test.tokens_per_step is None:
        return ()
    return with_mean(count, min(count, test.tokens_per_step - 1))


def with_mean(count: int, mean: float) -> tuple[float, ...]:
    """Return the acceptance of which each has the same share of the one before, by their sum."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if sum(middle**n for n in range(1, count + 1)) < mean:
            low = middle
        else:
            high = middle
    return tuple(high**n for n in range(1, count + 1))
