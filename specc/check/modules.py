"""Modules: the files a spec uses, and the names that each of them sees."""

import os
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Generic, TypeVar

from attrs import Factory, define, frozen

from specc import packages, syntax
from specc.check.problems import ProblemError, Problems, problem
from specc.diagnostics import Diagnostic, Label, Span, did_you_mean
from specc.packages import PackageError
from specc.syntax import Block, File, Let, Path, String, Use
from specc.workspace import STANDARD_LIBRARY, UnreadableError, Workspace

T = TypeVar("T")

DEEPEST_USE = 64


@frozen(eq=False)
class Found(Generic[T]):
    """A definition and the module that it stands in."""

    node: T
    module: "Module"


@define(eq=False)
class Module:
    """A parsed file with its definitions and the modules it uses."""

    tree: File
    is_library: bool
    lets: dict[str, Let] = Factory(dict)
    blocks: dict[str, Block] = Factory(dict)
    aliases: dict[str, Block] = Factory(dict)
    open_imports: list["Module"] = Factory(list)
    named_imports: dict[str, "Module"] = Factory(dict)
    uses: list[tuple[Use, "Module"]] = Factory(list)
    # What was found through this module: identities of lets and of used modules.
    found: set[int] = Factory(set)

    def find_let(self, path: Path) -> Found[Let] | None:
        """Find the `let` that a path names, here or in a used module."""
        return self._find(path, lambda module, name: module.lets.get(name))

    def find_block(self, path: Path) -> Found[Block] | None:
        """Find the block that a path names, by its name or one of its aliases."""
        return self._find(
            path, lambda module, name: module.blocks.get(name) or module.aliases.get(name)
        )

    def find_alias(self, text: str) -> Found[Block] | None:
        """Find the block that has a text among its aliases, or as its name."""
        return self._find_name(
            text, lambda module, name: module.aliases.get(name) or module.blocks.get(name)
        )

    def names_of(self, kind: str) -> list[str]:
        """List the names of the blocks of a kind that can be used here."""
        names = [name for name, block in self.blocks.items() if block.kind.text == kind]
        for module in self.open_imports:
            names += module.names_of(kind)
        for alias, module in self.named_imports.items():
            names += [f"{alias}.{n}" for n in module.names_of(kind) if "." not in n]
        return names

    def _find(self, path: Path, lookup: "Callable[[Module, str], T | None]") -> Found[T] | None:
        names = [name.text for name in path.names]
        if len(names) == 2 and names[0] in self.named_imports:
            self.found.add(id(self.named_imports[names[0]]))
            return self.named_imports[names[0]]._find_name(names[1], lookup)
        return self._find_name(names[0], lookup) if len(names) == 1 else None

    def _find_name(self, name: str, lookup: "Callable[[Module, str], T | None]") -> Found[T] | None:
        node = lookup(self, name)
        if node is not None:
            self.found.add(id(node))
            return Found(node, self)
        for module in self.open_imports:
            found = module._find_name(name, lookup)
            if found is not None:
                self.found.add(id(module))
                return found
        return None


@define(eq=False, repr=False)
class Loader:
    """Reads and parses a spec and all that it uses, each file once."""

    workspace: Workspace
    problems: Problems
    modules: dict[FilePath, Module] = Factory(dict)
    _loading: dict[FilePath, Span | None] = Factory(dict)

    def load(
        self, path: FilePath, wanted_by: Span | None = None, *, is_library: bool = False
    ) -> Module | None:
        """Load the module of a file; None if it cannot be read, with the reason reported."""
        key = FilePath(os.path.realpath(path))
        if key in self.modules:
            return self.modules[key]
        if key in self._loading:
            self._report_cycle(key, wanted_by)
            return None
        if len(self._loading) >= DEEPEST_USE and wanted_by is not None:
            self.problems.report(
                problem(wanted_by, "E0103", f"files use files more than {DEEPEST_USE} deep")
            )
            return None
        try:
            source = self.workspace.read(path, wanted_by)
        except UnreadableError as error:
            self.problems.add(error.diagnostic)
            return None
        tree, diagnostics = (syntax.parse_library if is_library else syntax.parse)(source)
        for diagnostic in diagnostics:
            self.problems.add(diagnostic)
        if not tree.statements and not diagnostics:
            self.problems.add(
                Diagnostic.at(
                    Span(source, 0, 1),
                    "W0002",
                    f"'{source.name}' is empty",
                    help="a spec holds use, let and blocks; specs/README.md has examples",
                )
            )
        module = Module(tree, is_library)
        self._loading[key] = wanted_by
        self._define(module, path)
        del self._loading[key]
        self.modules[key] = module
        return module

    def _define(self, module: Module, path: FilePath) -> None:
        for statement in module.tree.statements:
            if isinstance(statement, Use):
                self._use(module, statement, path)
            elif isinstance(statement, Let):
                self._define_name(module, statement.name, statement, module.lets)
            elif isinstance(statement, Block) and statement.name is not None:
                self._define_name(module, statement.name, statement, module.blocks)
                # Before anything is evaluated.
                for alias in statement.texts("aliases"):
                    module.aliases.setdefault(alias, statement)

    def _define_name(self, module: Module, name: syntax.Name, node: T, table: dict[str, T]) -> None:
        earlier = module.lets.get(name.text) or module.blocks.get(name.text)
        if earlier is None:
            earlier = self._imported(module, name.text)
        if earlier is None or earlier.name is None:
            table[name.text] = node
            return
        self.problems.report(
            problem(
                name.span,
                "E0204",
                f"'{name.text}' is defined twice",
                label="defined again here",
                second=Label(earlier.name.span, "first defined here"),
                help="give one of them another name",
            )
        )

    @staticmethod
    def _imported(module: Module, name: str) -> Let | Block | None:
        """Return what a used module defines under a name; to hide it would mislead a reader."""
        for used in module.open_imports:
            found = used.lets.get(name) or used.blocks.get(name)
            if found is not None:
                return found
        return None

    def _use(self, module: Module, use: Use, path: FilePath) -> None:
        try:
            target, is_library = self._target(use, path)
        except ProblemError as error:
            self.problems.report(error)
            return
        used = self.load(target, use.target.span, is_library=is_library)
        if used is None:
            return
        module.uses.append((use, used))
        if use.alias is None:
            self._check_clashes(module, used, use)
            module.open_imports.append(used)
        elif use.alias.text in module.named_imports:
            self.problems.report(
                problem(use.alias.span, "E0204", f"'{use.alias.text}' names two modules")
            )
        else:
            module.named_imports[use.alias.text] = used

    def _check_clashes(self, module: Module, used: Module, use: Use) -> None:
        """Report names that a module would get from two files."""
        for name, node in {**used.lets, **used.blocks}.items():
            for other in module.open_imports:
                known = other.lets.get(name) or other.blocks.get(name)
                if known is not None and known is not node and known.name is not None:
                    self.problems.report(
                        problem(
                            use.target.span,
                            "E0204",
                            f"two files that are used here define '{name}'",
                            second=Label(known.name.span, "the other one"),
                            help=f"give one of them an alias: use {use.target.span.text} as other",
                        )
                    )

    def _target(self, use: Use, path: FilePath) -> tuple[FilePath, bool]:
        target = use.target
        if isinstance(target, String):
            return path.parent / target.value, False
        names = [name.text for name in target.names]
        library = names[0] if len(names) == 2 else STANDARD_LIBRARY
        try:
            found = self.workspace.module(library, names[1]) if len(names) == 2 else None
            known = [] if found else self.workspace.modules(library)
        except PackageError as error:
            raise problem(target.span, "E0208", str(error), help=error.help) from None
        if found is not None:
            return found, True
        if not known:
            known_libraries = (STANDARD_LIBRARY, *packages.installed())
            raise problem(
                target.span,
                "E0208",
                f"there is no module '{target.text}'",
                why=f"no package of specs is called '{library}'",
                help=did_you_mean(library, known_libraries, "package"),
            )
        raise problem(
            target.span,
            "E0208",
            f"there is no module '{target.text}'",
            why='a file of your own is used by its path: use "./common.spec"',
            help=did_you_mean(
                target.text,
                [f"{library}.{name}" for name in known],
                "module",
                at=target.span,
            ),
        )

    def _report_cycle(self, key: FilePath, wanted_by: Span | None) -> None:
        chain = list(self._loading)
        chain = [*chain[chain.index(key) :], key]
        labels = [Label(wanted_by, "this closes the circle")] if wanted_by else []
        labels += [
            Label(span, "used here")
            for path in chain[1:-1]
            if (span := self._loading[path]) is not None
        ]
        names = " → ".join(f"'{self.workspace.name_of(path)}'" for path in chain)
        self.problems.add(
            Diagnostic(
                "E0005",
                "files use each other in a circle",
                tuple(labels),
                why=names,
                help="move what both need into a third file",
            )
        )
