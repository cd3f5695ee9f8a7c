"""Result files: JSON both ways. What is written can be loaded, and is written the same again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import fields

from specc.diagnostics import Diagnostic, visible_json
from specc.ir.json import JsonFormError, from_json, rounded_float, to_json, to_rounded_json
from specc.results.studies import Header, Results, StudyResult
from specc.workspace import UnreadableError, Workspace

FORMAT = 4
RECOMMENDATION = "recommendation"
LARGEST_FILE_BYTES = 1 << 30


class ResultsError(Exception):
    """A file that holds no results, or those of another format; carries the diagnostic."""

    def __init__(self, message: str, why: str = "", help: str = "") -> None:
        self.diagnostic = Diagnostic("E0012", message, why=why, help=help)
        super().__init__(self.diagnostic.sentence)


def load_results(path: str | Path) -> Results:
    """Load a result file that `specc run` wrote.

    Raises:
        ResultsError: it cannot be read, is no result file, or has another format than 4.
    """
    path = Path(path)
    try:
        text = Workspace(path.parent).read(path, most=LARGEST_FILE_BYTES).text
    except UnreadableError as error:
        raise ResultsError(error.diagnostic.message, help=error.diagnostic.help) from None
    return results_from(text, path.name)


def results_from(text: str, name: str) -> Results:
    """Return the results in the text of a file; `name` is what messages call it.

    Raises:
        ResultsError: it is no result file, or has another format than 4.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_results(name, f"it is not JSON: {error}") from None
    if not isinstance(data, dict) or not {"format", "studies"} & data.keys():
        raise _no_results(name, "it has no studies")
    found = data.pop("format", None)
    if type(found) is not int or found != FORMAT:
        raise ResultsError(
            f"'{name}' has format {json.dumps(found)}, this version of specc reads format {FORMAT}",
            why="the format of result files changes between versions",
            help=f"run the spec again: specc run {data.get('spec') or 'plan.spec'}",
        )
    studies = data.pop("studies", None)
    if not isinstance(studies, list):
        raise _no_results(name, "it has no studies")
    for study in studies:
        if isinstance(study, dict):
            study.pop(RECOMMENDATION, None)
    try:
        return Results(from_json(data, Header), from_json(studies, tuple[StudyResult, ...]))
    except JsonFormError as error:
        raise _no_results(name, str(error)) from None


def _no_results(name: str, why: str) -> ResultsError:
    return ResultsError(
        f"'{name}' is not a result file of specc",
        why=why if len(why) <= 200 else f"{why[:200]} …",
        help="specc run writes one beside the spec: plan.result.json",
    )


def text_of(results: Results) -> str:
    """Return the text of a result file. What was found is rounded, what was asked is not."""
    studies = [{**_fields(study), "study": to_json(study.study)} for study in results.studies]
    data = {"format": FORMAT, **to_json(results.header), "studies": studies}
    return "".join(map(visible_json, _in_lines(data, depth=4))) + "\n"


def _fields(study: StudyResult) -> dict[str, Any]:
    """Return the fields of a study; the recommendation stands among them once more."""
    known = {field.name: getattr(study, field.name) for field in fields(StudyResult)}
    return {"study": study.study, RECOMMENDATION: study.best, **known}


def _in_lines(data: Any, depth: int, indent: str = "\n") -> Iterator[str]:
    """Yield the JSON of data, with a line for each part down to a depth: for each candidate.

    What is in a line is written without indentation, for which alone Python has a fast encoder. It
    becomes plain data only then: that of all candidates takes much more memory than they do.
    """
    if not depth or not data or not isinstance(data, dict | list | tuple):
        yield _ENCODER.encode(data)
        return
    inner = f"{indent} "
    if isinstance(data, dict):
        begin, end = "{", "}"
        parts = [(f"{inner}{_ENCODER.encode(name)}: ", value) for name, value in data.items()]
    else:
        begin, end = "[", "]"
        parts = [(inner, value) for value in data]
    for place, (start, value) in enumerate(parts):
        yield f"{',' if place else begin}{start}"
        yield from _in_lines(value, depth - 1, inner)
    yield f"{indent}{end}"


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=to_rounded_json)


def rounded(data: Any) -> Any:
    """Round every float in plain data, so that files are the same on every machine."""
    if isinstance(data, float):
        return rounded_float(data)
    if isinstance(data, dict):
        return {k: v if type(v) in _EXACT else rounded(v) for k, v in data.items()}
    if isinstance(data, list):
        return [v if type(v) in _EXACT else rounded(v) for v in data]
    return data


_EXACT = frozenset({int, str, bool, type(None)})  # most of what there is
