"""Lists of the flags that engines have, by version, read in their published wheels.

`python -m tests.engine_flags [FOLDER]` downloads the wheels below into a folder (by default a
temporary one; some hundred megabytes), reads them without running them, and writes a file each
into `specc/engines/flags`. Launch files and their tests look flags up there.
"""

import ast
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.conftest import ROOT

FOLDER = ROOT / "specc" / "engines" / "flags"
WHEELS = (
    ("vllm", "0.18.0"),
    ("vllm", "0.23.0"),
    ("vllm", "0.33.0"),
    ("vllm-ascend", "0.18.0"),
    ("vllm-ascend", "0.23.0"),
)
# Where a command declares its flags.
_SERVE = (
    "vllm/engine/arg_utils.py",
    "vllm/entrypoints/openai/cli_args.py",
    "vllm/entrypoints/common/cli_args.py",
    "vllm/entrypoints/cli/serve.py",
)
_BENCH = (
    "vllm/benchmarks/serve.py",
    "vllm/benchmarks/datasets.py",
    "vllm/benchmarks/datasets/datasets.py",
)

_ASKING = ("get", "pop", "_get_config_value")

Flags = dict[str, str]  # where each is declared


class Wheel:
    """The Python files of a wheel, as syntax trees."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip = zipfile.ZipFile(path)
        self._names = self._zip.namelist()
        self._trees: dict[str, ast.Module] = {}

    def files(self, *places: str) -> Iterator[tuple[str, ast.Module]]:
        """Yield files, and those of folders, that there are."""
        for name in sorted(self._names):
            within = any(name == place or name.startswith(f"{place}/") for place in places)
            if name.endswith(".py") and within:
                if name not in self._trees:
                    self._trees[name] = ast.parse(self._zip.read(name))
                yield name, self._trees[name]


def declared(wheel: Wheel, *places: str) -> Flags:
    """Return the flags that calls of `add_argument` name, and those of the fields of front ends."""
    booleans = boolean_fields(wheel)
    found: Flags = {}
    for name, tree in wheel.files(*places):
        classes = dict(_classes_of_kwargs(tree))
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            if not (isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument"):
                continue
            where = f"{name}:{call.lineno}"
            names = [a.value for a in call.args if isinstance(a, ast.Constant)]
            flags = [n for n in names if isinstance(n, str) and n.startswith("-")]
            found |= dict.fromkeys(flags, where)
            if _is_boolean(call, classes, booleans):
                found |= {f"--no-{n[2:]}": where for n in flags if n.startswith("--")}
        for flag, line, boolean in _front_end(tree):
            found.setdefault(flag, f"{name}:{line}")
            if boolean:
                found.setdefault(f"--no-{flag[2:]}", f"{name}:{line}")
    return dict(sorted(found.items()))


def _is_boolean(call: ast.Call, classes: dict[str, str], booleans: dict[str, set[str]]) -> bool:
    """Say whether a flag has a negation: its field is a truth value, or its action says so."""
    for keyword in call.keywords:
        value = keyword.value
        if keyword.arg == "action" and "BooleanOptionalAction" in ast.unparse(value):
            return True
        if keyword.arg is None:
            return any(
                field in booleans.get(classes.get(owner, ""), set())
                for owner, field in _subscripts(value)
            )
    return False


def _subscripts(value: ast.expr) -> Iterator[tuple[str, str]]:
    """Yield the names and keys of `cache_kwargs["block_size"]`, also within a dictionary."""
    for node in ast.walk(value):
        if isinstance(node, ast.Subscript):
            owner, key = node.value, node.slice
            if isinstance(owner, ast.Name) and isinstance(key, ast.Constant):
                yield owner.id, str(key.value)


def _classes_of_kwargs(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield names such as `cache_kwargs` with the class whose fields they describe."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            call, target = node.value, node.targets[0]
            named = isinstance(call.func, ast.Name) and call.func.id == "get_kwargs"
            if named and isinstance(target, ast.Name) and isinstance(call.args[0], ast.Name):
                yield target.id, call.args[0].id


def boolean_fields(wheel: Wheel) -> dict[str, set[str]]:
    """Return the fields of each class of a configuration that are truth values."""
    found: dict[str, set[str]] = {}
    for _, tree in wheel.files("vllm/config", "vllm/engine/arg_utils.py"):
        for node in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
            found.setdefault(node.name, set()).update(
                str(ast.unparse(field.target))
                for field in node.body
                if isinstance(field, ast.AnnAssign) and _is_truth(field.annotation)
            )
    return found


def _is_truth(annotation: ast.expr) -> bool:
    words = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return "bool" in words and "str" not in words


def _front_end(tree: ast.Module) -> Iterator[tuple[str, int, bool]]:
    """Yield the flags of classes whose every field is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("FrontendArgs"):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    flag = "--" + field.target.id.replace("_", "-")
                    yield flag, field.lineno, _is_truth(field.annotation)


def texts_of_gets(wheel: Wheel, *places: str) -> Flags:
    """Return the keys that calls of `get`, `pop` and `_get_config_value` ask for."""
    found: Flags = {}
    for name, tree in wheel.files(*places):
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            asks = isinstance(call.func, ast.Attribute) and call.func.attr in _ASKING
            texts = [a.value for a in call.args if isinstance(a, ast.Constant)]
            if asks and texts and isinstance(texts[0], str):
                found.setdefault(texts[0], f"{name}:{call.lineno}")
    return dict(sorted(found.items()))


def registered(wheel: Wheel, *places: str) -> Flags:
    """Return the names that calls of `register_connector` give."""
    found: Flags = {}
    for name, tree in wheel.files(*places):
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            named = isinstance(call.func, ast.Attribute) and call.func.attr == "register_connector"
            if named and call.args and isinstance(call.args[0], ast.Constant):
                found.setdefault(str(call.args[0].value), f"{name}:{call.lineno}")
    return dict(sorted(found.items()))


def environment(wheel: Wheel, *places: str) -> Flags:
    """Return the keys of the dictionaries of environment variables."""
    found: Flags = {}
    for name, tree in wheel.files(*places):
        for node in (n for n in ast.walk(tree) if isinstance(n, ast.Dict)):
            for key in node.keys:
                if isinstance(key, ast.Constant) and str(key.value).isupper():
                    found.setdefault(str(key.value), f"{name}:{key.lineno}")
    return dict(sorted(found.items()))


def listed(package: str, version: str, path: Path) -> dict[str, object]:
    """Return what is known of an engine."""
    wheel = Wheel(path)
    head = {
        "package": package,
        "version": version,
        "wheel": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    if package == "vllm-ascend":
        return {
            **head,
            "additional_config": texts_of_gets(wheel, "vllm_ascend/ascend_config.py"),
            "environment": environment(wheel, "vllm_ascend/envs.py"),
            "connectors": registered(wheel, "vllm_ascend/distributed"),
        }
    return {
        **head,
        "serve": declared(wheel, *_SERVE),
        "bench": declared(wheel, *_BENCH),
        "environment": environment(wheel, "vllm/envs.py"),
        "connectors": registered(wheel, "vllm/distributed/kv_transfer/kv_connector"),
    }


def _wheel(folder: Path, package: str, version: str) -> Path:
    stem = f"{package.replace('-', '_')}-{version}-"
    if not (found := sorted(folder.glob(f"{stem}*.whl"))):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        command += ["--only-binary", ":all:", "-d", str(folder), f"{package}=={version}"]
        subprocess.run(command, check=True)
        found = sorted(folder.glob(f"{stem}*.whl"))
    return found[0]


def write(folder: Path, wanted: Iterable[tuple[str, str]] = WHEELS) -> None:
    """Write the list of each wheel."""
    FOLDER.mkdir(exist_ok=True)
    for package, version in wanted:
        data = listed(package, version, _wheel(folder, package, version))
        path = FOLDER / f"{package}-{version}.json"
        path.write_text(json.dumps(data, indent=1) + "\n")
        counts = {k: len(v) for k, v in data.items() if isinstance(v, dict)}
        print(path.name, counts)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            write(Path(temporary))
