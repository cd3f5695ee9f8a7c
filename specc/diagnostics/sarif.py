"""Diagnostics as SARIF 2.1.0, the format that code hosts and editors read."""

from collections.abc import Iterable
from typing import Any

from specc.diagnostics.diagnostic import Diagnostic, Label
from specc.diagnostics.fix import Fix
from specc.diagnostics.rules import RULES
from specc.diagnostics.span import Span

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def to_sarif(diagnostics: Iterable[Diagnostic], version: str) -> dict[str, Any]:
    """Return a SARIF log with one run of this version of specc that holds the diagnostics."""
    found = [diagnostic.shown for diagnostic in diagnostics]
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
    rule = RULES[code]
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.text},
        "defaultConfiguration": {"level": rule.severity.value},
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
    if diagnostic.fixes:
        result["fixes"] = [_fix(diagnostic, fix) for fix in diagnostic.fixes]
    return result


def _fix(diagnostic: Diagnostic, fix: Fix) -> dict[str, Any]:
    replacement = {"deletedRegion": _region(fix.span), "insertedContent": {"text": fix.text}}
    change = {"artifactLocation": _artifact(fix.span), "replacements": [replacement]}
    return {"description": {"text": diagnostic.title_of(fix)}, "artifactChanges": [change]}


def _location(label: Label) -> dict[str, Any]:
    span = label.span
    return {"physicalLocation": {"artifactLocation": _artifact(span), "region": _region(span)}}


def _artifact(span: Span) -> dict[str, Any]:
    return {"uri": span.source.name.replace(" ", "%20")}


def _region(span: Span) -> dict[str, Any]:
    end_line, end_column = span.source.position(span.end)
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": end_line,
        "endColumn": end_column,
    }
