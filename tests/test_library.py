"""The library: names, aliases and files looked up; packages of specs, used without running them."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import specc
from specc import library
from specc.calibration.setting import Setting, deployment
from specc.check import check
from specc.editor.analysis import Analysis
from specc.ir import Calibration, CalibrationData, Device, Engine, Model, Quantisation
from specc.library import Library, LibraryError
from specc.workspace import Workspace
from tests.conftest import ROOT

DEVICES = """
use std.devices
use "shared/links.spec"
## A device of the laboratory
device npu_x extends test_device { aliases = ["NPU-X 1.0"] }
"""
PLAN = """
use std.models
use ascend_lab.devices as lab
workload w { input = 100 tok; output = 10 tok }
device mine extends lab.npu_x { }
deployment a { model = qwen3_8b; device = lab.npu_x; devices = 1 }
deployment b { model = qwen3_8b; device = mine; devices = 1 }
study s { workload = w; deployments = [a, b] }
"""


def publish(site: Path, name: str, entry: str, folder: str, **files: str) -> None:
    """Install a distribution with an entry point, as an installer leaves it behind."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[specc.library]\n{entry}\n")
    package = site / folder
    package.mkdir(parents=True, exist_ok=True)
    for parent in (package, *package.parents):
        if parent == site:
            break
        (parent / "__init__.py").write_text("raise RuntimeError('specs are data')\n")
    for file, text in files.items():
        path = package / f"{file.replace('__', '/')}.spec"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python looks for packages in."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.fixture
def lab(site: Path) -> None:
    publish(site, "ascend-lab", "ascend_lab = ascend_lab", "ascend_lab/specs",
            devices=DEVICES, shared__links="let lab_links = 1\n")  # fmt: skip


def _use(checked, module: str):
    _, diagnostics = checked(f"use {module}\nlet a = 1\n")
    return [(d.code, d.message, d.help) for d in diagnostics if d.is_error]


def test_what_the_standard_library_has() -> None:
    assert "qwen3_8b" in specc.library.models()
    assert "test_device" in specc.library.devices()
    assert "ascend_910b" in specc.library.calibrations()
    entry = next(e for e in library.usual().listed(Model) if e.name == "qwen3_8b")
    assert "Qwen/Qwen3-8B" in entry.aliases
    assert entry.module == "std.models"
    for name in ("qwen3_8b", *entry.aliases):
        assert library.model(name) is library.model("qwen3_8b")
    assert isinstance(library.device("test_device"), Device)
    assert isinstance(library.calibration("ascend_910b"), CalibrationData)


def test_every_listed_block_can_be_built() -> None:
    for name in library.models():
        assert library.model(name).name == name
    for name in library.devices():
        assert library.device(name).name == name


def test_names_that_are_not_known() -> None:
    for find, name, near in (
        (library.model, "qwen3_8", "qwen3_8b"),
        (library.model, "qwen/qwen3-8b ", "Qwen/Qwen3-8B"),
        (library.device, "test_devic", "test_device"),
        (library.device, "qwen3_8b", None),
        (library.calibration, "ascend_91ob", "ascend_910b"),
        (library.model, "nobody.model", None),
    ):
        with pytest.raises(LibraryError) as caught:
            find(name)
        assert caught.value.diagnostic.code == "E0203"
        assert near is None or f"'{near}'" in caught.value.diagnostic.help


@given(st.text())
def test_any_text_is_a_name_or_an_error(name: str) -> None:
    if name not in library.models():
        with pytest.raises(LibraryError):
            library.model(name)


CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "vocab_size": 1000, "max_position_embeddings": 4096, "torch_dtype": "bfloat16",
}  # fmt: skip


@pytest.mark.parametrize(
    "name", ['q"uote.json', "a } b.json", "x\n.json", "ü.json", "\\.json", "7.json", "#.json"]
)
def test_a_configuration_under_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / 'a"b # {'
    folder.mkdir()
    (folder / name).write_text(json.dumps(CONFIG))
    found = library.model_from_config(folder / name)
    assert (found.layers, found.hidden_size) == (2, 64)
    assert found.name[0].isalpha()


def test_a_configuration_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**CONFIG, "num_attention_heads": 5}))
    for name, code in (("none.json", "E0001"), ("a.json", "E0421"), (".", "E0001")):
        with pytest.raises(LibraryError) as caught:
            library.model_from_config(tmp_path / name)
        assert caught.value.diagnostic.code == code


def test_a_device_in_a_spec(tmp_path: Path) -> None:
    path = tmp_path / 'm"i}ne.spec'
    path.write_text("use std.devices as d\ndevice mine extends d.test_device { }\n")
    assert library.device_in(path, "mine").name == "mine"
    assert library.device_in(path, "d.test_device").name == "test_device"
    for name in ("min", "d.mine", 'x"', ""):
        with pytest.raises(LibraryError, match="there is no device"):
            library.device_in(path, name)
    path.write_text("device mine { nothing = 1 }\n")
    with pytest.raises(LibraryError) as caught:
        library.device_in(path, "mine")
    assert caught.value.diagnostic.code == "E0202"
    with pytest.raises(LibraryError) as caught:
        library.device_in(tmp_path / "none.spec", "mine")
    assert caught.value.diagnostic.code == "E0001"


def test_a_deployment_of_a_row_is_the_one_that_a_spec_has(checked) -> None:
    document, _ = checked(
        "use std.devices\nuse std.models\nworkload w { input = 1 tok; output = 1 tok }\n"
        "deployment d { model = deepseek_v3; device = atlas_800_a3_752t_die; devices = 16\n"
        "    quant = w8a8_dynamic; formats { kv_cache = int8 }; calibration = calibrated\n"
        "    engine { generation = tuned }; communication { dispatch = fused } }\n"
        "study s { workload = w; deployments = d }\n"
    )
    row = Setting("deepseek_v3", "atlas_800_a3_752t_die", 16, "w8a8_dynamic", "int8", "tuned",
                  calibration="calibrated", fused_dispatch=True)  # fmt: skip
    assert deployment(row) == document.studies[0].deployments[0]


def test_a_deployment_that_contradicts_itself() -> None:
    for fields, said in (
        ({"devices": 10_000}, "can connect"),
        ({"devices": 0}, "'devices' is out of its range"),
        ({"devices": 1, "engine": Engine(block_size=0)}, "'engine.block_size' is out of its range"),
        ({"devices": 1, "quant": Quantisation.FP8}, "cannot compute in fp8"),
        ({"devices": 1, "calibration": Calibration.CALIBRATED}, "has no calibration"),
    ):
        with pytest.raises(LibraryError, match=said):
            library.usual().deployment("qwen3_8b", "test_device", **fields)


@pytest.mark.usefixtures("lab")
def test_a_package_of_specs_is_used_like_the_standard_library(tmp_path: Path) -> None:
    path = tmp_path / "plan.spec"
    path.write_text(PLAN)
    workspace = Workspace(tmp_path)
    document, diagnostics = check(workspace, path)
    assert diagnostics == []
    names = [d.device.name for d in document.studies[0].deployments]
    assert names == ["npu_x", "mine"]
    # Recorded without a path of the machine, with the hash of the file.
    assert {n for n in workspace.hashes if not n.startswith("std/")} == {
        "plan.spec", "ascend_lab/devices.spec", "ascend_lab/shared/links.spec",
    }  # fmt: skip
    digest = hashlib.sha256(DEVICES.encode()).hexdigest()
    assert workspace.hashes["ascend_lab/devices.spec"] == digest
    assert "ascend_lab" not in sys.modules


@pytest.mark.usefixtures("lab")
def test_a_package_of_specs_in_the_library() -> None:
    found = Library()
    assert [e.name for e in found.listed(Device)][-1] == "ascend_lab.npu_x"
    assert found.listed(Device)[-1].doc == "A device of the laboratory"
    for name in ("npu_x", "NPU-X 1.0", "ascend_lab.npu_x", "ascend_lab.NPU-X 1.0"):
        assert found.device(name).name == "npu_x"
    with pytest.raises(LibraryError) as caught:
        found.device("ascend_lab.npu_y")
    assert "ascend_lab.npu_x" in caught.value.diagnostic.help


@pytest.mark.usefixtures("lab")
def test_modules_that_are_not_known(checked) -> None:
    assert _use(checked, "ascend_lab.device") == [
        ("E0208", "there is no module 'ascend_lab.device'", "did you mean 'ascend_lab.devices'?")
    ]
    assert _use(checked, "ascend_labs.devices") == [
        ("E0208", "there is no module 'ascend_labs.devices'", "did you mean 'ascend_lab'?")
    ]
    assert _use(checked, "std.device")[0][2] == "did you mean 'std.devices'?"


def test_packages_that_cannot_be_used(checked, site: Path) -> None:
    publish(site, "one", "twice = one", "one", a="let x = 1")
    publish(site, "two", "twice = two", "two", a="let x = 1")
    publish(site, "three", "hollow = three\ngone = no_such_package\nodd = ..", "three")
    publish(site, "four", "std = four", "four", devices="let x = 1")
    [(code, message, help_)] = _use(checked, "twice.a")
    assert (code, help_) == ("E0208", "uninstall one of them")
    assert "one 1.0" in message
    assert "two 1.0" in message
    for name in ("hollow", "gone", "odd"):
        [(code, message, _)] = _use(checked, f"{name}.a")
        assert code == "E0208"
        assert f"'{name}' of three 1.0 holds no specs" in message
    # A package cannot stand in for the standard library.
    assert Workspace(Path()).module("std", "devices") == ROOT / "specs" / "std" / "devices.spec"
    with pytest.raises(LibraryError, match=r"holds no specs|two installed packages"):
        Library().listed(Device)


def test_two_packages_with_one_name_of_a_block(site: Path) -> None:
    text = "use std.devices\ndevice npu_x extends test_device { }\n"
    publish(site, "one", "one = one", "one", a=text)
    publish(site, "two", "two = two.below", "two/below", a=text)
    with pytest.raises(LibraryError) as caught:
        Library().device("npu_x")
    assert caught.value.diagnostic.help == "say which: 'one.npu_x' and 'two.npu_x'"
    assert Library().device("two.npu_x").name == "npu_x"


@pytest.mark.usefixtures("lab")
def test_an_editor_offers_modules_of_packages(tmp_path: Path) -> None:
    analysis = Analysis(tmp_path / "a.spec", "use ")
    names = {completion.word for completion in analysis.completions(4)}
    assert {"std.devices", "ascend_lab.devices"} <= names
