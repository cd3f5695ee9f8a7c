"""What simulating the answers of a plan costs, in seconds of CPU.

    python -m tests.bench.bench_answers [TRACE.csv]

The known case on a device with a fitted calibration, against `simulate = none`; and three sizes of
an instance under a trace, with eight configurations simulated, without and with a search for the
capacity. The trace is the conversation trace of the reference data, if that is there. Goals: 0.5 s
more for the known case, 12 s for the trace.
"""

import re
import sys
import tempfile
import time
from pathlib import Path

from specc.session import Session
from tests.conftest import REFERENCE

KNOWN = Path("specs/qwen3-32b-test-device.spec")
FITTED = "atlas_800_a3_752t_die"
TRACED = """use std.devices
use std.models
workload w {{ requests = lengths_from("trace.csv"); slo {{ ttft <= 5 s; tpot <= 100 ms }} }}
deployment d {{
    model = qwen3_32b; quant = w8a8_dynamic; device = atlas_800_a3_752t_die; devices = [2, 4, 8]
    parallel {{ tp = [1, 2, 4, 8] }}
}}
study s {{
    workload = w; deployments = d
    simulate {{ arrival = trace("trace.csv"); shortlist = 8 }}
    {more}
}}
"""


def seconds_of(text: str, folder: Path) -> float:
    """Return the CPU seconds of a plan, from text to results."""
    path = folder / "plan.spec"
    path.write_text(text)
    start = time.process_time()
    _ = Session(path).results
    return time.process_time() - start


def main(trace: Path) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder, known = Path(name), KNOWN.read_text().replace("test_device", FITTED)
        plans = [
            re.sub(r"(study \w+ \{)", rf"\1 {more}", known) for more in ("simulate = none;", "")
        ]
        seconds_of(plans[0], folder)  # what is loaded and computed once
        closed, whole = (seconds_of(plan, folder) for plan in plans)
        print(f"known case: closed form {closed:.2f} s, answered {whole:.2f} s")
        if not trace.exists():
            print(f"no {trace}")
            return
        (folder / "trace.csv").write_bytes(trace.read_bytes())
        for what, more in {"8 simulated": "", "with capacity": "capacity { }"}.items():
            print(f"trace, {what}: {seconds_of(TRACED.format(more=more), folder):.1f} s")


if __name__ == "__main__":
    given = [Path(a) for a in sys.argv[1:]]
    main(*(given or [REFERENCE / "traces" / "splitwise_conv.csv"]))
