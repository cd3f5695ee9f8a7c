"""`specc explain`: a diagnostic or a field of the language."""

import argparse
import json
import textwrap

import attrs

from specc.cli.main import OK, WRONG_INPUT
from specc.cli.terminal import add_format_option
from specc.diagnostics import CODES, did_you_mean

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
    if what.upper() in CODES:
        return _explain_code(what.upper(), options.format)
    from specc.ir.documentation import page, pages

    found = page(what)
    if found is None:
        from sys import stderr

        known = [*CODES, *(p.path for p in pages())]
        print(f"there is nothing called '{what}': {did_you_mean(what, known, 'page')}", file=stderr)
        return WRONG_INPUT
    if options.format == "json":
        print(json.dumps(attrs.asdict(found), indent=1, ensure_ascii=False))
        return OK
    print(f"{found.path}: {found.doc}\n\n  type     {found.type}")
    if found.default:
        print(f"  default  {found.default}")
    if found.example:
        print(f"  example  {found.example}")
    return OK


def _explain_code(id_: str, format_: str) -> int:
    from specc.diagnostics.pages import PAGES

    code, page = CODES[id_], PAGES[id_]
    if format_ == "json":
        data = {"code": id_, "severity": code.severity.value, "title": code.title}
        print(json.dumps({**data, **attrs.asdict(page)}, indent=1, ensure_ascii=False))
        return OK
    print(f"{id_}, {code.severity.value}: {code.title}\n\n{textwrap.fill(page.text, _WIDTH)}")
    for title, text in (("Wrong", page.wrong), ("Right", page.right), ("Seen with", page.session)):
        if text:
            shown = text.replace("\0", "␀").strip()
            print(f"\n{title}:\n{textwrap.indent(shown, '    ')}")
    return OK
