"""The speed of the language: checking 200 lines, parsing 20 000, a keystroke in the editor.

    python tests/bench/bench_language.py

Goals: checking a 200-line file within 1.5 times the bare imports of lark and cattrs; parsing
20 000 lines within 3 times lark's own LALR parse of them, and linear in size; a keystroke in a
500-line file answered in under 50 ms. CPU time, the best of several.
"""

import sys
import tempfile
import time
from pathlib import Path

from lark import Lark

from specc import resources
from specc.diagnostics import Source
from specc.editor.analysis import Analysis
from specc.syntax import parse
from tests.bench.bench_start import SPECC, cpu_seconds
from tests.syntax.test_grammar import LarkLineEnds

HEAD = "use std.devices\nuse std.models\nworkload chat { input = 3500 tok; output = 1500 tok }\n"
BLOCK = """
## Deployment number {0}
deployment d{0} {{
    model   = qwen3_32b
    quant   = w8a8_dynamic
    device  = atlas_800_a3_752t_die
    devices = 8 * (1 + {0})
    parallel {{ tp = [1, 2, 4, 8] }}
    engine   {{ chunk_budget = 8Ki tok; decode_batch = 1 .. 512 }}
}}
"""


def text_of(lines: int) -> str:
    """A valid spec of about so many lines."""
    return HEAD + "".join(BLOCK.format(i % 90) for i in range(max(1, (lines - 3) // 10)))


def unique(lines: int) -> str:
    """The same, with every name once, so that it checks without errors."""
    count = max(1, (lines - 5) // 10)
    names = ", ".join(f"d{i}" for i in range(count))
    study = f"study s {{ workload = chat; deployments = [{names}]; simulate = none }}\n"
    return HEAD + "".join(BLOCK.format(i) for i in range(count)) + study


def best(work, times: int = 5) -> float:
    """Least CPU time of several runs."""
    results = []
    for _ in range(times):
        start = time.process_time()
        work()
        results.append(time.process_time() - start)
    return min(results)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.spec"
        path.write_text(unique(200))
        command = [*SPECC, "check", str(path)]
        bare = [sys.executable, "-c", "import lark, cattrs"]
        pairs = sorted((cpu_seconds(command), cpu_seconds(bare)) for _ in range(11))
        ours, theirs = pairs[2][0], sorted(p[1] for p in pairs)[2]
        print(f"check of 200 lines     {ours * 1e3:6.0f} ms, ratio {ours / theirs:.2f} (goal 1.5)")

        path.write_text(unique(500))
        text = unique(500)

        def keystroke() -> None:
            analysis = Analysis(path, text)
            analysis.diagnostics()
            analysis.completions(len(text) // 2)

        keystroke()
        print(f"keystroke, 500 lines   {best(keystroke) * 1e3:6.0f} ms (goal 50)")

    grammar = (resources.folder("grammar") / "spec.lark").read_text(encoding="utf-8")
    lark = Lark(grammar, parser="lalr", lexer="basic", postlex=LarkLineEnds())
    parse(Source("warm", HEAD))
    times = {}
    for lines in (5_000, 10_000, 20_000):
        text = text_of(lines)
        times[lines] = best(lambda text=text: parse(Source("x", text)), 3)
    theirs = best(lambda: lark.parse(text_of(20_000)), 3)
    print(
        f"parsing 20 000 lines   {times[20_000]:6.2f} s, ratio to lark's parse "
        f"{times[20_000] / theirs:.2f} (goal 3)"
    )
    growth = times[20_000] / times[5_000] / 4
    print(f"four times the lines   {growth:6.2f} times as long a line (linear is 1)")


if __name__ == "__main__":
    main()
