"""Whole specs: small ones that make sense, with fields of the vocabulary put in at random."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from specc import library
from specc.check import check
from specc.ir import KINDS as CLASSES
from specc.ir import vocabulary as v
from specc.ir.documentation import example
from specc.ir.vocabulary import entries
from specc.workspace import Workspace
from tests.fuzz import values
from tests.fuzz.configs import config
from tests.fuzz.tree import Block, Plan, units
from tests.fuzz.values import Draw, Kind

DEVICES = list(library.devices())
MODELS = list(library.models())
# Small models make small plans; the others come up as well.
USUAL_MODELS = ["qwen3_8b", "qwen3_32b", "qwen3_30b_a3b"]
_MODES = ["aggregated"] * 4 + ["prefill_only", "decode_only", "disaggregated", "pd_ratio"]
_MENDINGS = 8
_COUNTS = st.sampled_from([1, 2, 4, 8, 8, 16])


@st.composite
def plans(draw: Draw, folder: Path) -> Plan:
    """Generate a spec and its files; `folder` is for what has to be tried out on the way.

    Of four, three lose the statements that the checker complains about, so that they get further.
    """
    plan = _Author(draw, folder).plan()
    return plan if draw(st.integers(0, 3)) == 0 else _mended(plan, folder)


def _mended(plan: Plan, folder: Path) -> Plan:
    """Take statements with errors out, while that helps."""
    for name, text in plan.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / "plan.spec"
    for _ in range(_MENDINGS):
        path.write_text(plan.spec, encoding="utf-8")
        found = check(Workspace(folder), path)[1]
        wrong = next((d for d in found if d.is_error and d.span is not None), None)
        if wrong is None or wrong.span is None or not wrong.span.source.name.endswith("plan.spec"):
            break
        lines = plan.spec.splitlines()
        at = min(wrong.span.line - 1, len(lines) - 1)
        first, last = min(
            (unit for unit in units(lines) if unit[0] <= at <= unit[1]),
            key=lambda unit: unit[1] - unit[0],
            default=(at, at),
        )
        plan = Plan("\n".join(lines[:first] + lines[last + 1 :]) + "\n", plan.files)
    return plan


class _Author:
    """Writes one spec; `draw` decides."""

    def __init__(self, draw: Draw, folder: Path) -> None:
        self.draw = draw
        self.folder = folder
        self.files: dict[str, str] = {}
        self.names: dict[str, list[str]] = {
            "device": list(DEVICES),
            "model": [*USUAL_MODELS * 4, *MODELS],
            "calibration": list(library.calibrations()),
            "workload": [],
            "deployment": [],
            "server": [],
        }
        self.blocks: list[Block] = []

    def one_in(self, count: int) -> bool:
        return self.draw(st.integers(1, count)) == count

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def plan(self) -> Plan:
        self._own_model()
        self._own_device()
        self._workload("w")
        measured = self.one_in(8)
        if measured:
            self._server("s0")
        else:
            for number in range(self.pick(1, 1, 1, 2)):
                self._deployment(f"d{number}")
        study = self._study("q", measured)
        for _ in range(self.pick(0, 0, 1, 1, 2, 3, 6)):
            self._put_in(self.pick(*[b for block in self.blocks for b in block.all()]))
        head = ["use std.devices", "use std.models"]
        if self.one_in(12):
            head.append(self.pick("let n = 8", "let n = 4 * 2", "assert 1 < 2", "let n = 1 / 0"))
        if self.one_in(10):
            study.statements.append(self._sweep())
        text = "\n".join([*head, *(block.text() for block in self.blocks)]) + "\n"
        return Plan(text, self.files)

    def _block(self, kind: str, name: str, base: str = "") -> Block:
        header = f"{kind} {name} extends {base}" if base else f"{kind} {name}"
        block = Block(header, CLASSES[kind])
        if self.one_in(10):
            block.header = f"## {self.pick('a note', '<b>', chr(0x202E), '| a | b |')}\n{header}"
        self.blocks.append(block)
        self.names[kind] = [name, *self.names[kind]]
        return block

    def _own_model(self) -> None:
        if self.one_in(10):
            self.files["config.json"] = config(self.draw, self.folder)
            self._block("model", "m").fields["config"] = 'config = "config.json"'
        elif self.one_in(10):
            base = self.pick(*USUAL_MODELS, *MODELS)
            self._put_in(self._block("model", "m", base))

    def _own_device(self) -> None:
        if self.one_in(5):
            self._put_in(self._block("device", "own", self.pick(*DEVICES)))
        if self.one_in(8):
            own = self._block("device", "priced", self.pick(*DEVICES))
            own.fields["price"] = f"price = {self.pick('12', '0.5')} CNY/h"

    def _workload(self, name: str) -> None:
        block = self._block("workload", name)
        lengths = (1, 100, 2048, 4000, 16_000)
        match self.pick(*["one"] * 5, "table", "table", "file"):
            case "one":
                block.fields["input"] = f"input = {self.pick(*lengths)} tok"
                block.fields["output"] = f"output = {self.pick(*lengths[:4])} tok"
            case "table":
                rows = [
                    f"| {self.pick('50%', '1', '3')} | {low} .. {low + self.pick(1, 500)} "
                    f"| {self.pick('1', '64 .. 300', '1 .. 2')} |"
                    for low in range(1, 3000 * self.pick(1, 2, 3), 3000)
                ]
                block.blocks["requests"] = Block(
                    "requests", None, {}, ["| share | input | output |", *rows]
                )
            case _:
                block.fields["requests"] = f"requests = lengths_from({self._table()})"
        if self.one_in(3):
            block.fields["prefix_hit"] = f"prefix_hit = {self.pick(0.5, 0.9, 0.999999999)}"
        slo = Block("slo", dict(entries(CLASSES["workload"]))["slo"][1].type.cls)
        for metric in ("ttft", "tpot"):
            if self.one_in(2):
                slo.fields[metric] = f"{metric} <= {self.pick(0.02, 0.1, 1, 10, 1000)} s"
        if self.one_in(4):
            key, text = values.tail(self.draw)
            slo.fields[key] = text
        block.blocks["slo"] = slo
        if self.one_in(4):
            for number in range(self.pick(1, 2, 3)):
                self._class(block, f"class{number}")

    def _class(self, workload: Block, name: str) -> None:
        """Add a class to a workload; it gives lengths and limits of its own, or none."""
        cls = dict(entries(CLASSES["workload"]))["classes"][1].type.cls
        own = Block(f"class {name}", cls)
        own.fields["share"] = f"share = {self.pick('20%', 1, 1e-6, 7)}"
        if self.one_in(2):
            own.fields["priority"] = f"priority = {self.pick(1, 2, 9)}"
        if self.one_in(2):
            own.fields["input"] = f"input = {self.pick(1, 300, 5000)} tok"
            own.fields["output"] = f"output = {self.pick(1, 2, 400)} tok"
        if self.one_in(2):
            key, text = values.tail(self.draw)
            slo = Block("slo", dict(entries(cls))["slo"][1].type.cls, {key: text})
            own.blocks["slo"] = slo
        workload.blocks[name] = own

    def _table(self) -> str:
        """Write a file of requests, and return the arguments that read it."""
        cells = self.draw(
            st.lists(
                st.tuples(
                    st.integers(0, 30), st.sampled_from([1, 10, 500, 3000]), st.integers(1, 400)
                ),
                min_size=0,
                max_size=12,
            )
        )
        rows = [list(map(str, row)) for row in cells]
        header = ["arrived_at", "num_prefill_tokens", "num_decode_tokens"]
        if self.one_in(4) and rows:
            row = self.pick(*range(len(rows)))
            rows[row][self.pick(0, 1, 2)] = self.pick("", "-1", "x", "1e400", "9" * 30, "1.5", "=1")
        if self.one_in(10):
            header[self.pick(0, 1, 2)] = self.pick("", "arrived_at", "\x1b[0m", "extra")
        name = self.pick("rows.csv", "rows.csv", "rows.jsonl", "rows.tsv", "rows.txt")
        if name.endswith(".jsonl"):
            keys = ("timestamp", "input_length", "output_length")
            lines = [
                "{" + ", ".join(f'"{k}": {c or 0}' for k, c in zip(keys, r, strict=True)) + "}"
                for r in rows
            ]
        else:
            mark = "\t" if name.endswith(".tsv") else ","
            lines = [mark.join(row) for row in [header, *rows]]
        self.files[name] = "\n".join(lines) + "\n"
        more = self.pick("", "", ", bins = 3", ", bins = 1000", ", edges = [1, 100, 5000]")
        return f'"{name}"{more}'

    def _deployment(self, name: str) -> None:
        block = self._block("deployment", name)
        mode, count = self.pick(*_MODES), self.draw(_COUNTS)
        sizes = [count]
        model = "m" if self.names["model"][0] == "m" else self.pick(*self.names["model"])
        own = [n for n in ("own", "priced") if n in self.names["device"]]
        block.fields["model"] = f"model = {model}"
        block.fields["device"] = f"device = {self.pick(*own * 8, *DEVICES)}"
        if mode != "aggregated":
            block.fields["mode"] = f"mode = {mode}"
        paired = mode in ("disaggregated", "pd_ratio")
        if not paired or self.one_in(2):
            block.fields["devices"] = f"devices = {count}"
        if paired:
            known = dict(entries(CLASSES["deployment"]))
            for phase in ("prefill", "decode"):
                if "devices" not in block.fields or self.one_in(2):
                    own_block = Block(phase, known[phase][1].type.cls)
                    sizes.append(self.draw(_COUNTS))
                    own_block.fields["devices"] = f"devices = [{sizes[-1]}]"
                    block.blocks[phase] = own_block
        if mode == "pd_ratio" or self.one_in(6):
            fleet = Block("fleet", dict(entries(CLASSES["deployment"]))["fleet"][1].type.cls)
            # Room for one of each, and as many more: large fleets are simulated for minutes.
            whole = f"devices = {2 * max(sizes)}"
            key, text = self.pick(("devices", whole), ("rate", "rate = 3 req/s"))
            fleet.fields[key] = text
            block.blocks["fleet"] = fleet
        for part in ("engine", "parallel", "search", "communication", "experts", "transfer"):
            if self.one_in(5):
                self._nested(block, part)
        if "search" in block.blocks and self.one_in(2):
            key, text = values.bound(self.draw)
            limits = Block("limits", None, {key: text})
            block.blocks["search"].blocks["limits"] = limits

    def _server(self, name: str) -> None:
        block = self._block("server", name)
        rows = [
            f"| {step} | {size} | {self.pick(1, 20, 300)} ms |"
            for step in ("prefill", "decode")
            for size in (1, 16)[: self.pick(1, 2)]
        ]
        table = Block("step_cost", None, {}, ["| step | size | time |", *rows])
        block.blocks["step_cost"] = table
        for _ in range(self.pick(0, 1, 3)):
            self._put_in(block)

    def _study(self, name: str, measured: bool) -> Block:
        block = self._block_of_study(name, measured)
        if measured or self.one_in(3):
            self._simulation(block)
        if self.one_in(4):
            text = values.expectation(self.draw, self.names["deployment"])
            block.statements.append(text)
        return block

    def _block_of_study(self, name: str, measured: bool) -> Block:
        block = Block(f"study {name}", CLASSES["study"])
        self.blocks.append(block)
        block.fields["workload"] = "workload = w"
        kind = "server" if measured else "deployment"
        block.fields[f"{kind}s"] = f"{kind}s = [{', '.join(self.names[kind])}]"
        return block

    def _simulation(self, study: Block) -> None:
        known = dict(entries(CLASSES["study"]))
        block = Block("simulate", known["simulate"][1].type.cls)
        block.fields["arrival"] = f"arrival = {values.arrival(self.draw)}"
        if self.one_in(6):
            block.fields["arrival"] = f"arrival = trace({self._table().split(',')[0]})"
        block.fields["requests"] = f"requests = {self.pick(1, 20, 150)}"
        study.blocks["simulate"] = block
        for _ in range(self.pick(0, 0, 1, 2)):
            self._put_in(block)
        if self.one_in(4):
            capacity = Block("capacity", known["capacity"][1].type.cls)
            capacity.fields["seeds"] = "seeds = 1"
            study.blocks["capacity"] = capacity

    def _nested(self, block: Block, name: str) -> None:
        """Put a block of the vocabulary into another, with one or a few fields."""
        assert block.cls is not None
        type_ = dict(entries(block.cls))[name][1].type
        assert isinstance(type_, v.BlockType)
        inner = block.blocks.setdefault(name, Block(name, type_.cls))
        for _ in range(self.pick(1, 1, 2, 4)):
            self._put_in(inner)

    def _put_in(self, block: Block) -> None:
        """Set one field of a block, whichever it is."""
        if block.cls is None:
            return
        known = entries(block.cls)
        name = self.pick(*known)
        attribute, entry = known[name]
        kind = self.draw(values.KINDS)
        if isinstance(entry.type, v.BlockType):
            if len(block.blocks) < 12:
                self._nested(block, name)
        elif isinstance(entry.type, v.LimitType):
            text = values.limit(self.draw, entry.type.dimension, kind)
            block.fields[name] = f"{name} {text}"
        elif isinstance(entry.type, v.TailsType):
            key, text = values.tail(self.draw)
            block.fields[key] = text
        elif isinstance(entry.type, v.BoundsType):
            key, text = values.bound(self.draw)
            block.blocks["limits"] = Block("limits", None, {key: text})
        elif isinstance(entry.type, v.TableType):
            columns = entries(entry.type.cls)
            rows = [self._row(columns) for _ in range(self.pick(1, 2))]
            block.blocks[name] = Block(name, None, {}, [f"| {' | '.join(columns)} |", *rows])
        elif isinstance(entry.type, v.BlocksType):
            inner = Block(f"{entry.type.kind} extra", entry.type.cls)
            for field, (_, own) in entries(entry.type.cls).items():
                inner.fields[field] = example(field, own)
            block.blocks["extra"] = inner
        else:
            text = values.value(self.draw, attribute, entry, self.names, kind)
            block.fields[name] = f"{name} = {text}"

    def _row(self, columns: dict[str, Any]) -> str:
        kind = self.draw(values.KINDS)
        cells = [
            str(values.value(self.draw, attribute, entry, self.names, kind))
            for attribute, entry in columns.values()
        ]
        return f"| {' | '.join(cells)} |"

    def _sweep(self) -> str:
        """Return a sweep over a field of a block."""
        block = self.pick(*[b for b in self.blocks if b.cls and b.header.count(" ") == 1])
        assert block.cls is not None
        name = self.pick(*entries(block.cls))
        attribute, entry = entries(block.cls)[name]
        found = [
            values.value(self.draw, attribute, entry, self.names, Kind.LEGAL) for _ in range(2)
        ]
        path = f"{block.header.split()[1]}.{name}"
        return f"sweep {path} in [{', '.join(map(str, found))}]"
