"""Models, devices and calibrations by name: of the standard library and of installed packages.

```python
import specc

specc.library.models()                      # ('qwen3_0_6b', …)
specc.library.model("Qwen/Qwen3-8B")        # by name or by alias
specc.library.device("ascend_lab.npu_x")    # of an installed package of specs
specc.library.model_from_config("config.json")
```

A name is looked up in the standard library first, then in the packages; `package.name` says which.
Names and paths may hold any characters. What cannot be had raises `LibraryError`.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from attrs import Factory, asdict, define, evolve, frozen

from specc import packages
from specc.check import build_block, check_all, rules
from specc.check.convert import check_read
from specc.check.modules import Found, Loader, Module
from specc.check.problems import ProblemError, Problems
from specc.diagnostics import Diagnostic, Source, Span, did_you_mean
from specc.ir import CalibrationData, Deployment, Device, Model
from specc.ir.vocabulary import Node
from specc.packages import PackageError
from specc.records import Record
from specc.syntax import Block, Field, File, Name, String
from specc.syntax import Path as NamePath
from specc.workspace import STANDARD_LIBRARY, UnreadableError, Workspace

N = TypeVar("N", bound=Node)

_KINDS: dict[type[Node], str] = {
    Model: "model",
    Device: "device",
    CalibrationData: "calibration",
}


class LibraryError(ValueError):
    """A name that is not known, or a file that does not hold what it should.

    Attributes:
        diagnostic: what is wrong, with the nearest known name.
    """

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.sentence)
        self.diagnostic = diagnostic


@frozen(eq=False, repr=False)
class Listed(Record):
    """A block of a library.

    Attributes:
        name: what it is looked up by; `package.name` if it is of an installed package.
        aliases: other names, such as those of a model hub.
        doc: what its author says about it.
        module: the module that a spec uses for it, such as `std.models`.
    """

    name: str
    aliases: tuple[str, ...]
    doc: str
    module: str


@define(eq=False, repr=False)
class Library:
    """Looks up blocks by name; every file is read once, every block built once."""

    workspace: Workspace = Factory(lambda: Workspace(Path()))
    _problems: Problems = Factory(Problems)
    _loader: Loader = Factory(lambda self: Loader(self.workspace, self._problems), takes_self=True)
    _given_up: list[Loader] = Factory(list)
    _built: dict[int, Node] = Factory(dict)

    def model(self, name: str) -> Model:
        """Return a model by its name or an alias.

        Raises:
            LibraryError: there is none.
        """
        return self._named(Model, name)

    def device(self, name: str) -> Device:
        """Return a device by its name or an alias.

        Raises:
            LibraryError: there is none.
        """
        return self._named(Device, name)

    def calibration(self, name: str) -> CalibrationData:
        """Return a calibration by its name.

        Raises:
            LibraryError: there is none.
        """
        return self._named(CalibrationData, name)

    def listed(self, cls: type[Node]) -> tuple[Listed, ...]:
        """List the models, devices or calibrations, in the order of their files.

        Raises:
            LibraryError: an installed package cannot be read.
        """
        found = []
        for library in (STANDARD_LIBRARY, *self._packages()):
            own = "" if library == STANDARD_LIBRARY else f"{library}."
            for module_name, module in self._modules(library, cls):
                for name, block in module.blocks.items():
                    if block.kind.text == _KINDS[cls]:
                        aliases = tuple(a for a, b in module.aliases.items() if b is block)
                        found.append(Listed(own + name, aliases, block.doc, module_name))
        return tuple(found)

    def model_from_config(self, path: str | Path) -> Model:
        """Return the model of a Hugging Face configuration; its name is that of the file.

        Raises:
            LibraryError: the file is no configuration of a known architecture.
        """
        file = Path(path)
        try:
            source = self.workspace.read(file)
        except UnreadableError as error:
            raise LibraryError(error.diagnostic) from None
        span = Span(source, 0, 0)
        config = Field(span, NamePath(span, (Name(span, "config"),)), String(span, file.name))
        name = Name(span, _word(file.stem))
        block = Block(span, Name(span, _KINDS[Model]), name, None, (config,))
        try:
            return self._build(Model, Found(block, Module(File(source, (block,)), True)))
        except LibraryError as error:  # nobody wrote the block, so no place in it can be shown
            raise LibraryError(evolve(error.diagnostic, labels=())) from None

    def device_in(
        self, spec: str | Path, name: str, allow_paths: Sequence[str | Path] = ()
    ) -> Device:
        """Return a device that a spec defines or uses: `mine`, or `alias.mine` of a used file.

        Args:
            spec: the spec.
            name: the name of the device.
            allow_paths: folders outside of the spec's git repository that it may read from.

        Raises:
            LibraryError: the spec has errors, or no such device.
        """
        workspace = Workspace.of_spec(Path(spec), allow_paths)
        checked = check_all(workspace, Path(spec))
        wrong = next((d for d in checked.diagnostics if d.is_error), None)
        if checked.root is None or wrong is not None:
            raise LibraryError(wrong or Diagnostic("E0001", f"cannot read '{spec}'"))
        alias, _, below = name.partition(".")
        used = checked.root.named_imports.get(alias) if below else None
        found = used.find_alias(below) if used else checked.root.find_alias(name)
        if found is None or found.node.kind.text != _KINDS[Device]:
            raise _unknown(_KINDS[Device], name, checked.root.names_of(_KINDS[Device]))
        return self._build(Device, found, workspace)

    def deployment(self, model: str | Model, device: str | Device, **fields: object) -> Deployment:
        """Return a deployment of a model on a device, checked as one that a spec writes down.

        Args:
            model: the model, or its name.
            device: the device, or its name.
            fields: attributes of `specc.ir.Deployment`, such as `devices=8`.

        Raises:
            LibraryError: a name is not known, or the fields contradict each other.
        """
        model = self.model(model) if isinstance(model, str) else model
        device = self.device(device) if isinstance(device, str) else device
        # Rules point at the text they are about, and here is none.
        spans = {"": Span(Source("a deployment", ""), 0, 0)}
        fields = {
            name: evolve(value, spans=value.spans or spans) if isinstance(value, Node) else value
            for name, value in fields.items()
        }
        built = Deployment(model=model, device=device, spans=spans, **fields)  # type: ignore[arg-type]
        try:
            check_read(Deployment, asdict(built, recurse=False), spans[""])
        except ProblemError as error:
            raise LibraryError(evolve(error.diagnostic, labels=())) from None
        wrong = next((d for d in rules.problems_of(built) if d.is_error), None)
        if wrong is not None:
            raise LibraryError(evolve(wrong, labels=()))
        return built

    def _named(self, cls: type[N], name: str) -> N:
        library, _, below = name.partition(".")
        found = self._find(STANDARD_LIBRARY, cls, name)
        if found is None and below:
            found = self._find(library, cls, below)
        if found is None:
            found = self._found_in_packages(cls, name)
        if found is None:
            listed = self.listed(cls)
            aliases = [alias for entry in listed for alias in entry.aliases]
            raise _unknown(_KINDS[cls], name, [entry.name for entry in listed], aliases)
        return self._build(cls, found)

    def _found_in_packages(self, cls: type[Node], name: str) -> Found[Block] | None:
        found = [(p, f) for p in self._packages() if (f := self._find(p, cls, name)) is not None]
        if len(found) > 1:
            names = " and ".join(f"'{package}.{name}'" for package, _ in found)
            raise LibraryError(
                Diagnostic(
                    "E0204",
                    f"more than one package has a {_KINDS[cls]} '{name}'",
                    help=f"say which: {names}",
                )
            )
        return found[0][1] if found else None

    def _find(self, library: str, cls: type[Node], name: str) -> Found[Block] | None:
        for _, module in self._modules(library, cls):
            found = module.find_alias(name)
            if found is not None and found.node.kind.text == _KINDS[cls]:
                return found
        return None

    def _modules(self, library: str, cls: type[Node]) -> Iterator[tuple[str, Module]]:
        """Yield the modules of a library that may define such blocks, with their names."""
        standard = library == STANDARD_LIBRARY
        try:
            names = [f"{_KINDS[cls]}s"] if standard else self.workspace.modules(library)
            for name in names:
                path = self.workspace.module(library, name)
                assert path is not None
                yield f"{library}.{name}", self._load(path)
        except PackageError as error:
            raise LibraryError(Diagnostic("E0208", str(error), help=error.help)) from None

    def _load(self, path: Path) -> Module:
        module = self._loader.load(path, is_library=True)
        wrong = next((d for d in self._problems.found if d.is_error), None)
        if wrong is not None:
            # What was read beside the error is of no use; it is kept, as blocks that were built are
            # known by the identity of their text.
            self._given_up.append(self._loader)
            self._problems = Problems()
            self._loader = Loader(self.workspace, self._problems)
            raise LibraryError(wrong)
        assert module is not None
        return module

    @staticmethod
    def _packages() -> list[str]:
        return [name for name in packages.installed() if name != STANDARD_LIBRARY]

    def _build(self, cls: type[N], found: Found[Block], workspace: Workspace | None = None) -> N:
        key = id(found.node)
        if key not in self._built:
            node, problems = build_block(found, workspace or self.workspace)
            if node is None:
                raise LibraryError(next(d for d in problems if d.is_error))
            self._built[key] = node
        built = self._built[key]
        assert isinstance(built, cls)
        return built


def models() -> tuple[str, ...]:
    """Return the names of all models."""
    return tuple(entry.name for entry in usual().listed(Model))


def devices() -> tuple[str, ...]:
    """Return the names of all devices."""
    return tuple(entry.name for entry in usual().listed(Device))


def calibrations() -> tuple[str, ...]:
    """Return the names of all calibrations."""
    return tuple(entry.name for entry in usual().listed(CalibrationData))


def model(name: str) -> Model:
    """Return a model by its name or an alias; raises `LibraryError`."""
    return usual().model(name)


def device(name: str) -> Device:
    """Return a device by its name or an alias; raises `LibraryError`."""
    return usual().device(name)


def calibration(name: str) -> CalibrationData:
    """Return a calibration by its name; raises `LibraryError`."""
    return usual().calibration(name)


def model_from_config(path: str | Path) -> Model:
    """Return the model of a Hugging Face configuration; raises `LibraryError`."""
    return Library().model_from_config(path)


def device_in(spec: str | Path, name: str, allow_paths: Sequence[str | Path] = ()) -> Device:
    """Return a device that a spec defines or uses; raises `LibraryError`."""
    return Library().device_in(spec, name, allow_paths)


# Parts of a published name that do not change what is computed.
_FORMATS = r"[-_.](bf16|fp16|fp8|fp8_block|int8|int4|awq|gptq|w\d+a\d+\w*|mtp|nvfp4|dynamic)$"


def plain_name(text: str) -> str:
    """Return the name of a model without its folder, its number format and its punctuation."""
    name = text.rstrip("/").rpartition("/")[2].lower()
    while (shorter := re.sub(_FORMATS, "", name)) != name:
        name = shorter
    return re.sub(r"[^a-z0-9]", "", name)


def known_model(text: str) -> str | None:
    """Return the name of the model that a path or a name of elsewhere means, None if none."""
    plain = plain_name(text)
    for entry in usual().listed(Model):
        if plain and plain in {plain_name(name) for name in (entry.name, *entry.aliases)}:
            return entry.name
    return None


@cache
def usual() -> Library:
    """Return the library that the functions of this module look things up in."""
    return Library()


def _unknown(
    kind: str, name: str, known: Sequence[str], aliases: Sequence[str] = ()
) -> LibraryError:
    folded = {other.casefold() for other in known}
    others = [alias for alias in aliases if alias.casefold() not in folded]
    help_ = did_you_mean(name, known, kind, more=others).text
    return LibraryError(Diagnostic("E0203", f"there is no {kind} '{name}'", help=help_))


def _word(stem: str) -> str:
    """Return a name of the language that resembles the name of a file."""
    word = "".join(c if c.isascii() and c.isalnum() else "_" for c in stem).lower()
    return word if word[:1].isalpha() else f"model_{word}"
