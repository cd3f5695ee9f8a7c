"""Diagnostics as SARIF 2.1.0, the format that code hosts and editors read."""

from collections.abc import Iterable
from typing import Any

from specc.diagnostics.codes import CODES
from specc.diagnostics.diagnostic import Diagnostic, Label

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def to_sarif(diagnostics: Iterable[Diagnostic], version: str) -> dict[str, Any]:
    """Return a SARIF log with one run of this version of specc that holds the diagnostics."""
    found = list(diagnostics)
    rules = sorted({diagnostic.code for diagnostic in found})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "specc",
                        "version": version,
                        "rules": [_rule(code) for code in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(diagnostic, rules) for diagnostic in found],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    from specc.diagnostics.pages import PAGES

    return {
        "id": code,
        "shortDescription": {"text": CODES[code].title},
        "fullDescription": {"text": PAGES[code].text},
        "defaultConfiguration": {"level": CODES[code].severity.value},
    }


def _result(diagnostic: Diagnostic, rules: list[str]) -> dict[str, Any]:
    parts = [diagnostic.message, diagnostic.why, diagnostic.help]
    first, *others = diagnostic.labels or (None,)
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rules.index(diagnostic.code),
        "level": diagnostic.severity.value,
        "message": {"text": ". ".join(part for part in parts if part)},
        "locations": [_location(first)] if first else [],
    }
    if others:
        result["relatedLocations"] = [
            {**_location(label), "id": number, "message": {"text": label.text}}
            for number, label in enumerate(others, start=1)
            if label is not None
        ]
    return result


def _location(label: Label) -> dict[str, Any]:
    span = label.span
    end_line, end_column = span.source.position(span.end)
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": span.source.name.replace(" ", "%20")},
            "region": {
                "startLine": span.line,
                "startColumn": span.column,
                "endLine": end_line,
                "endColumn": end_column,
            },
        }
    }
