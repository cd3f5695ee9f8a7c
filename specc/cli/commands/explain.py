"""`specc explain`: a diagnostic or a field of the language."""

import argparse
import textwrap

import attrs

from specc.cli.codes import Exit
from specc.cli.terminal import add_format_option, print_json
from specc.diagnostics import did_you_mean
from specc.diagnostics.rule import Rule
from specc.diagnostics.rules import RULES
from specc.diagnostics.visible import message

_WIDTH = 88


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Explain the code of a diagnostic, or a field of the language."
    parser.epilog = "example: specc explain E0302; specc explain workload.prefix_hit"
    parser.add_argument("what", metavar="CODE|FIELD", help="a code, a kind of block, or a field")
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the page; exit code 2 if there is none."""
    what = options.what
    if what.upper() in RULES:
        return _explain_code(RULES[what.upper()], options.format)
    from specc.ir.documentation import page, pages

    found = page(what)
    if found is None:
        from sys import stderr

        known = [*RULES, *(p.path for p in pages())]
        close = did_you_mean(what, known, "page")
        print(message(f"there is nothing called '{what}': {close.text}"), file=stderr)
        return Exit.WRONG_INPUT
    if options.format == "json":
        print_json(attrs.asdict(found))
        return Exit.OK
    print(f"{found.path}: {found.doc}\n\n  type     {found.type}")
    if found.default:
        print(f"  default  {found.default}")
    if found.example:
        print(f"  example  {found.example}")
    for name, doc in found.choices:
        print(f"\n  {name}\n{textwrap.indent(textwrap.fill(doc, _WIDTH - 4), '    ')}")
    return Exit.OK


def _explain_code(rule: Rule, format_: str) -> int:
    if format_ == "json":
        data = {**attrs.asdict(rule), "severity": rule.severity.value}
        print_json(data)
        return Exit.OK
    state = "retired" if rule.is_retired else rule.severity.value
    print(f"{rule.code}, {state}: {rule.title}\n\n{textwrap.fill(rule.text, _WIDTH)}")
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
