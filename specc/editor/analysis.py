"""What an editor asks about a spec, as plain values; offsets count characters."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from attrs import Factory, define, frozen

from specc import packages
from specc.check import Checked, check_all
from specc.diagnostics import Diagnostic, Source, Span
from specc.ir import KINDS, Process
from specc.ir.documentation import FieldPage, page
from specc.ir.facts import METRICS
from specc.ir.vocabulary import (
    ArrivalType,
    BlocksType,
    BlockType,
    BooleanType,
    ChoiceType,
    Node,
    ReferencesType,
    ReferenceType,
    TailsType,
    entries,
    nested_class,
)
from specc.ir.written import text_of
from specc.records import Record
from specc.syntax import Block, Constraint, Field, Let, Name, Number, Statement, parse
from specc.syntax import Path as NamePath
from specc.syntax.formatter import format_source
from specc.syntax.nodes import SyntaxNode
from specc.units import Quantity, parse_quantity
from specc.workspace import STANDARD_LIBRARY, Workspace

LARGEST_TEXT = 2**20  # characters; what is longer takes seconds at every key
_STATEMENTS = ("use", "let", "assert")
_STUDY_STATEMENTS = ("expect", "sweep")
_WORD = re.compile(r"[A-Za-z_][\w.]*$")


@frozen(eq=False, repr=False)
class Completion(Record):
    """A word to insert, what kind of thing it is, and a line about it."""

    word: str
    kind: str
    about: str = ""


@frozen(eq=False, repr=False)
class OutlineItem(Record):
    """A definition of a file, with what is inside it."""

    name: str
    kind: str
    span: Span
    children: tuple["OutlineItem", ...] = ()


@define(eq=False)
class Analysis:
    """A spec as it stands in an editor.

    Attributes:
        path: where the spec lies or will lie.
        text: what the editor shows.
        others: texts of other open files.
        allow_paths: folders outside of the file's git repository that it may read from.
    """

    path: Path
    text: str
    others: dict[Path, str] = Factory(dict)
    allow_paths: tuple[Path, ...] = ()
    workspace: Workspace = Factory(
        lambda self: Workspace.of_spec(
            self.path, self.allow_paths, {**self.others, self.path.absolute(): self.text}
        ),
        takes_self=True,
    )
    checked: Checked = Factory(lambda self: check_all(self.workspace, self.path), takes_self=True)

    @classmethod
    def of(
        cls,
        path: Path,
        text: str,
        others: dict[Path, str],
        allow_paths: tuple[Path, ...] = (),
    ) -> "Analysis":
        """Return the analysis of a text, or of none with a diagnostic if it is too large."""
        small = {other: text for other, text in others.items() if len(text) <= LARGEST_TEXT}
        if len(text) <= LARGEST_TEXT:
            return cls(path, text, small, allow_paths)
        found = cls(path, "", small, allow_paths)
        found.checked.diagnostics[:] = [
            Diagnostic(
                "E0003",
                f"'{path.name}' is larger than {LARGEST_TEXT // 2**20} MiB",
                help="the language server does not check files this large; 'specc check' does",
            )
        ]
        return found

    @property
    def source(self) -> Source:
        """The text with its lines."""
        if self.checked.root is not None:
            return self.checked.root.tree.source
        return Source(str(self.path), self.text)

    def diagnostics(self) -> list[Diagnostic]:
        """Return the diagnostics whose place is in this file."""
        source = self.source
        return [d for d in self.checked.diagnostics if not d.span or d.span.source is source]

    def formatted(self) -> str | None:
        """Return the text in the one layout; None if it has syntax errors."""
        source = Source(str(self.path), self.text)
        return None if parse(source)[1] else format_source(source)

    def symbols(self) -> list[OutlineItem]:
        """Return the definitions of the file."""
        tree, _ = parse(Source(str(self.path), self.text))
        return [symbol for statement in tree.statements for symbol in _symbols(statement)]

    def definition(self, offset: int) -> Span | None:
        """Return where the name under an offset is defined."""
        root = self.checked.root
        found = self._at(offset)
        path = next((n for n in reversed(found) if isinstance(n, NamePath)), None)
        if root is None or path is None:
            return None
        let, block = root.find_let(path), root.find_block(path)
        if let is not None:
            return let.node.name.span
        if block is not None and block.node.name is not None:
            return block.node.name.span
        return None

    def hover(self, offset: int) -> str | None:
        """Return what there is to say about the text under an offset, as Markdown."""
        chain = self._at(offset)
        if not chain:
            return None
        innermost = chain[-1]
        if isinstance(innermost, Number):
            return _quantity_text(innermost)
        blocks = [node for node in chain if isinstance(node, Block)]
        for node in reversed(chain):
            match node:
                case Field(path=path) | Constraint(path=path) if _covers(path.span, offset):
                    return self._field_text(blocks, path)
                case NamePath() if not any(getattr(n, "path", None) is node for n in chain):
                    return self._name_text(node)
                case Block(kind=kind, name=name):
                    header = kind.span if name is None else kind.span.to(name.span)
                    return self._block_text(blocks) if _covers(header, offset) else None
                case Let(name=name) if _covers(name.span, offset):
                    return self._name_text(NamePath(name.span, (name,)))
        return None

    def completions(self, offset: int) -> list[Completion]:
        """Return what may be written at an offset."""
        before = self.text[:offset]
        line = before.rpartition("\n")[2]
        statement = re.split(r"[;{]", line)[-1].lstrip()
        if re.match(r"use\s+\S*$", statement):
            return self._modules()
        classes = _enclosing_classes(before)
        if classes is None:
            return []
        if "=" in statement or "<" in statement:
            name = re.match(r"[\w.]+", statement)
            return self._values(classes, name[0] if name else "")
        return self._statements(classes)

    def _at(self, offset: int) -> list[SyntaxNode]:
        root = self.checked.root
        if root is None:
            return []
        chain: list[SyntaxNode] = []
        nodes: list[SyntaxNode] = list(root.tree.statements)
        while nodes:
            node = next((n for n in nodes if _covers(n.span, offset)), None)
            if node is None:
                break
            chain.append(node)
            nodes = list(_parts(node))
        return [node for node in chain if not isinstance(node, Name)]

    def _field_text(self, blocks: list[Block], path: NamePath) -> str | None:
        kinds = [block.kind.text for block in blocks] + [name.text for name in path.names]
        found = page(".".join(kinds))
        if found is None:
            return None
        value = self._resolved(blocks, [name.text for name in path.names])
        return _page_text(found) + (f"\n\nHere: **{value}**" if value else "")

    def _resolved(self, blocks: list[Block], names: list[str]) -> str:
        """Return the value that a field has, with inheritance and defaults."""
        node = self.checked.nodes.get(id(blocks[0])) if blocks else None
        for kind in [*(block.kind.text for block in blocks[1:]), *names[:-1]]:
            node = getattr(node, kind, None)
        known = entries(type(node)) if isinstance(node, Node) else {}
        if node is None or names[-1] not in known:
            return ""
        value = getattr(node, names[-1])
        return "" if value is None else text_of(value, known[names[-1]][1].type)

    def _block_text(self, blocks: list[Block]) -> str | None:
        found = page(".".join(block.kind.text for block in blocks))
        doc = blocks[-1].doc
        return "\n\n".join(filter(None, [doc, _page_text(found) if found else ""])) or None

    def _name_text(self, path: NamePath) -> str | None:
        root = self.checked.root
        if root is None:
            return None
        let = root.find_let(path)
        if let is not None:
            value = self.checked.evaluator.let(let, path.span)
            return f"`let {let.node.span.text.removeprefix('let ')}`" + (
                f"\n\n**{value}**" if isinstance(value, Quantity) else ""
            )
        block = root.find_block(path)
        if block is None or block.node.name is None:
            return None
        return f"`{block.node.kind.text} {block.node.name.text}`\n\n{block.node.doc}".rstrip()

    def _modules(self) -> list[Completion]:
        found = []
        for library in (STANDARD_LIBRARY, *packages.installed()):
            with contextlib.suppress(packages.PackageError):  # of use to nobody, so not offered
                names = self.workspace.modules(library)
                found += [Completion(f"{library}.{name}", "module") for name in names]
        return found

    def _values(self, classes: list[type[Node]], name: str) -> list[Completion]:
        root = self.checked.root
        lets = [Completion(let, "variable") for let in root.lets] if root else []
        cls: type[Node] | None = classes[-1] if classes else None
        *blocks, last = name.split(".")
        for block in blocks:
            entry = entries(cls)[block][1] if cls and block in entries(cls) else None
            cls = entry.type.cls if entry and isinstance(entry.type, BlockType) else None
        if cls is None or last not in entries(cls):
            return lets
        match entries(cls)[last][1].type:
            case ChoiceType(choices=choices):
                return [Completion(str(member.value), "choice") for member in choices]
            case BooleanType(auto=auto):
                words = ("true", "false", "auto") if auto else ("true", "false")
                return [Completion(word, "choice") for word in words]
            case ArrivalType():
                return [Completion(process.value, "choice") for process in Process]
            case ReferenceType(kind=kind) | ReferencesType(kind=kind):
                return [Completion(n, kind) for n in (root.names_of(kind) if root else [])]
        return lets

    def _statements(self, classes: list[type[Node]]) -> list[Completion]:
        if not classes:
            kinds = [Completion(kind, "kind", _about(cls)) for kind, cls in KINDS.items()]
            return kinds + [Completion(word, "keyword") for word in _STATEMENTS]
        found = []
        for name, (_, entry) in entries(classes[-1]).items():
            if isinstance(entry.type, TailsType):
                found += [Completion(f"{metric}.p99", "field", entry.doc) for metric in METRICS]
                continue
            is_block = isinstance(entry.type, BlockType | BlocksType)
            word = entry.type.kind if isinstance(entry.type, BlocksType) else name
            found.append(Completion(word, "block" if is_block else "field", entry.doc))
        if classes[-1] is KINDS["study"]:
            found += [Completion(word, "keyword") for word in _STUDY_STATEMENTS]
        return found


def _covers(span: Span, offset: int) -> bool:
    return span.start <= offset <= span.end


def _parts(node: SyntaxNode) -> Iterator[SyntaxNode]:
    for name in node.__attrs_attrs__:
        value = getattr(node, name.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, SyntaxNode):
                yield part


def _symbols(statement: Statement) -> Iterator[OutlineItem]:
    if isinstance(statement, Let):
        yield OutlineItem(statement.name.text, "let", statement.span)
    if isinstance(statement, Block):
        inner = tuple(symbol for s in statement.body for symbol in _symbols(s))
        name = statement.name.text if statement.name else statement.kind.text
        yield OutlineItem(name, statement.kind.text, statement.span, inner)
    if isinstance(statement, Field):
        yield OutlineItem(statement.path.text, "field", statement.span)


def _enclosing_classes(before: str) -> list[type[Node]] | None:
    """Return the vocabulary of the blocks that are open at the end of a text, outermost first.

    It reads words and braces alone, so that it works while a statement is half written. None
    means inside a block that the vocabulary does not have, or inside a comment or a text.
    """
    line = before.rpartition("\n")[2]
    if "#" in line or line.count('"') % 2:
        return None
    classes: list[type[Node] | None] = []
    text = re.sub(r'#[^\n]*|"[^"\n]*"', "", before)
    for match in re.finditer(r"([A-Za-z_][\w.]*)[^;{}\n]*\{|\}", text):
        if match[0] == "}":
            classes = classes[:-1]
        elif not classes:
            classes.append(KINDS.get(match[1] or ""))
        else:
            classes.append(nested_class(classes[-1], match[1] or ""))
    known = [cls for cls in classes if cls is not None]
    return known if len(known) == len(classes) else None


def _page_text(found: FieldPage) -> str:
    default = f", default {found.default}" if found.default else ""
    choices = "".join(f"\n- `{name}`: {doc}" for name, doc in found.choices)
    about = f"{found.doc}\n{choices}" if choices else found.doc
    return f"**{found.path}** ({found.type}{default})\n\n{about}\n\n`{found.example}`"


def _quantity_text(number: Number) -> str | None:
    try:
        quantity = parse_quantity(number.text)
    except ValueError:
        return None
    base = Quantity(quantity.value, quantity.dimension)
    return f"{quantity.dimension}: **{base}**" if quantity.dimension.exponents else None


def _about(cls: type[Node]) -> str:
    return (cls.__doc__ or "").splitlines()[0]
