"""`specc explain`: a diagnostic or a field of the language."""

import argparse
import re
import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from specc.cli.codes import Exit
from specc.cli.terminal import add_format_option, print_json
from specc.diagnostics import did_you_mean
from specc.diagnostics.rule import Rule
from specc.diagnostics.rules import RULES
from specc.diagnostics.suggest import nearest
from specc.diagnostics.visible import message

if TYPE_CHECKING:
    from specc.ir.documentation import FieldPage

_WIDTH = 88


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Explain the code of a diagnostic, or a field of the language."
    parser.epilog = "example: specc explain deployment; specc explain tp; specc explain E0302"
    parser.add_argument("what", metavar="CODE|FIELD", help="a code, a kind of block, or a field")
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the page; exit code 2 if there is none."""
    what = options.what
    if what.upper() in RULES:
        return _explain_code(RULES[what.upper()], options.format)
    from specc.ir.documentation import page, pages

    found = page(what)
    matches = [] if found is not None else [p for p in pages() if p.path.endswith(f".{what}")]
    if len(matches) == 1:
        found = matches[0]
    elif matches and options.format == "text":
        print(f"'{what}' is a field of several blocks:")
        return _list(matches)
    elif matches:
        print_json([attrs.asdict(one) for one in matches])
        return Exit.OK
    if found is None:
        from sys import stderr

        print(message(f"there is nothing called '{what}': {_meant(what)}"), file=stderr)
        return Exit.WRONG_INPUT
    inside = [p for p in pages() if _is_in(p.path, found.path)]
    if options.format == "json":
        fields = {"fields": [attrs.asdict(one) for one in inside]} if inside else {}
        print_json(attrs.asdict(found) | fields)
        return Exit.OK
    print(f"{found.path}: {found.doc}\n\n  type     {found.type}")
    if found.default:
        print(f"  default  {found.default}")
    if found.example:
        print(f"  example  {found.example}")
    for name, doc in found.choices:
        print(f"\n  {name}\n{textwrap.indent(textwrap.fill(doc, _width() - 4), '    ')}")
    if inside:
        print("\nfields:")
        return _list(inside)
    return Exit.OK


def _meant(what: str) -> str:
    """Say how a word that has no page is called here, or which fields are called nearly so."""
    from specc.check.strangers import meant_by
    from specc.ir.documentation import pages

    said = meant_by(what, "")
    if said:
        return said
    if re.fullmatch(r"[EW]\d+", what, re.IGNORECASE):
        return did_you_mean(what, RULES, "code").text
    paths = [page.path for page in pages()]
    close = nearest(what, [*paths, *(path.rpartition(".")[2] for path in paths)])
    if close is None:
        kinds = [path for path in paths if "." not in path]
        return f"'specc explain workload' lists the fields of a block; blocks: {', '.join(kinds)}"
    whole = [path for path in paths if close in (path, path.rpartition(".")[2])]
    return f"did you mean {' or '.join(map(repr, whole[:_MOST_MEANT]))}?"


_MOST_MEANT = 4  # fields that a remedy names


def _is_in(path: str, block: str) -> bool:
    """Say whether a field stands in a block itself, and not in one further in."""
    return path.startswith(f"{block}.") and "." not in path.removeprefix(f"{block}.")


def _list(pages_: "Sequence[FieldPage]") -> int:
    """Print a line or more for each field."""
    longest = max(len(one.path) for one in pages_)
    for one in pages_:
        text = f"{one.doc} [{one.type}]" if one.type != "block" else one.doc
        lines = textwrap.wrap(text, max(30, _width() - longest - 6)) or [""]
        print(f"  {one.path:<{longest}}  {lines[0]}")
        for line in lines[1:]:
            print(f"  {'':<{longest}}  {line}")
    return Exit.OK


def _width() -> int:
    """Return the columns of the terminal, or as many as a page has."""
    return min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)


def _explain_code(rule: Rule, format_: str) -> int:
    if format_ == "json":
        data = {**attrs.asdict(rule), "severity": rule.severity.value}
        print_json(data)
        return Exit.OK
    state = "retired" if rule.is_retired else rule.severity.value
    print(f"{rule.code}, {state}: {rule.title}\n\n{textwrap.fill(rule.text, _width())}")
    for title, text in (("Wrong", rule.wrong), ("Right", rule.right), ("Seen with", rule.session)):
        if text:
            shown = text.replace("\0", "␀").strip()
            print(f"\n{title}:\n{textwrap.indent(shown, '    ')}")
    if rule.remedy is not None:
        applied = " ('specc check --fix' does it, unless it is a guess)" if rule.remedy.safe else ""
        print(f"\nQuick fix:\n    {rule.remedy.title.format(text='…')}{applied}")
    if rule.replaced_by:
        print("\nReplaced by:")
        for code in rule.replaced_by:
            print(f"    {code}  {RULES[code].title}")
    return Exit.OK
