"""JUnit XML: the expectations of each study as test cases, for what shows tests in CI."""

import xml.etree.ElementTree as ET

from specc.diagnostics import visible
from specc.outputs.material import Material
from specc.results import StudyResult
from specc.results.diff import name_of


def write(material: Material) -> str:
    """Return a suite for each study, with a case for each expectation and one for feasibility."""
    results = material.results
    suites = [_suite(found) for found in results.studies]
    root = ET.Element("testsuites", name=visible(results.header.spec))
    for count in ("tests", "failures"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.extend(suites)
    ET.indent(root, " ")
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(found: StudyResult) -> ET.Element:
    name = name_of(found)
    suite = ET.Element("testsuite", name=visible(name))
    _case(suite, name, "a configuration keeps the limits", found.feasible, "none does", "")
    for verdict in found.verdicts:
        _case(suite, name, verdict.expectation, verdict.met, verdict.seen, verdict.reason)
    cases = list(suite)
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    return suite


def _case(suite: ET.Element, study: str, name: str, met: bool, seen: str, reason: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=visible(study), name=visible(name))
    if not met:
        failure = ET.SubElement(case, "failure", message=visible(seen))
        failure.text = visible(reason)
