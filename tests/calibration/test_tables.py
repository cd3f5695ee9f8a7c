"""Reading tables of kernels: each kind, and every way in which a row is of no use."""

import numpy as np
import pytest

from specc.calibration.kernels import KernelClass, read_kernels
from specc.tables import TableError

COLUMNS = (
    "Op Name,OP Type,Input Shapes,Input Data Types,Output Shapes,Output Data Types,"
    "Task Duration(us)"
)
PROFILE = f'''{COLUMNS}
a,MatMulV2,"""16,4096;4096,1024""",DT_BF16;DT_BF16,"""16,1024""",DT_BF16,12.5
b,QuantBatchMatmulV3,"16,4096;8,64,16,32",INT8;INT8,"16,1024",DT_BF16,9.5
c,DynamicQuant,"16,4096",DT_BF16,"16,4096;16",INT8;FLOAT,4
d,RmsNorm,"16,4096;4096",DT_BF16;DT_BF16,"16,4096;16,1",DT_BF16;FLOAT,3.5
e,FusedInferAttentionScore,"16,8,128",DT_BF16,"16,8,128",DT_BF16,60
f,GroupedMatmul,"16,8,128",DT_BF16,"16,8,128",DT_BF16,60
g,HcclAllReduce,"16",DT_BF16,"16",DT_BF16,60
h,MatMulV2,"16,4096;4096,1024",DT_BF16;DT_BF16,"16,1024",DT_BF16,-1
i,MatMulV2,"16,x",DT_BF16;DT_BF16,"16,1024",DT_BF16,1
j,MatMulV2,,,,,12
'''


def test_a_profiler_export_gives_kernels_and_reasons() -> None:
    table = read_kernels([("op_summary_1.csv", PROFILE)])
    found = [(k.kind, dict(k.sizes), k.seconds) for k in table.kernels]
    assert found == [
        (KernelClass.GEMM, {"m": 16, "n": 1024, "k": 4096}, pytest.approx(12.5e-6)),
        (
            KernelClass.GEMM_INT8,
            {"m": 16, "n": 1024, "k": 4096, "quantises": 0.0},
            pytest.approx(9.5e-6),
        ),
        (KernelClass.QUANTISATION, {"m": 16, "k": 4096}, pytest.approx(4e-6)),
        (
            KernelClass.VECTOR,
            {"bytes": 2 * (16 * 4096 + 4096 + 16 * 4096) + 4 * 16},
            pytest.approx(3.5e-6),
        ),
    ]
    assert sum(table.skipped.values()) == 6
    assert "no rule for the operator type 'HcclAllReduce'" in table.skipped
    assert "'Task Duration(us)' is out of range" in table.skipped
    assert any("lengths of the contexts" in reason for reason in table.skipped)
    assert not any(kernel.benchmark for kernel in table.kernels)


def test_kernel_details_have_other_names() -> None:
    text = (
        "Name,Type,Input Shapes,Input Data Types,Output Shapes,Output Data Types,Duration(us)\n"
        'x,MatMulV3,"32,512;512,256",FLOAT16;FLOAT16,"32,256",FLOAT16,8\n'
    )
    [kernel] = read_kernels([("kernel_details.csv", text)]).kernels
    assert (kernel.kind, kernel.place) == (KernelClass.GEMM, "kernel_details.csv:2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'notes.csv' is empty"),
        ("a,b\n1,2\n", "lacks the column Average Duration.us.; it has a, b"),
        ("Duration(us),Type\n1\n", "line 2 of 'notes.csv' has not as many cells"),
        ("Duration(us),Type\n", "has no rows"),
        ('Duration(us),Type\n"1,2\n', "not a CSV table"),
    ],
)
def test_what_is_no_table(text: str, said: str) -> None:
    with pytest.raises(TableError, match=said):
        read_kernels([("notes.csv", text)])


def test_all_rows_of_the_measured_tables_are_used(reference_data) -> None:
    files = sorted((reference_data / "ascend_910b").glob("*.csv"))
    table = read_kernels([(f.name, f.read_text()) for f in files])
    assert dict(table.skipped) == {}
    rows = sum(len(f.read_text().splitlines()) - 1 for f in files)
    assert len(table.kernels) == rows
    assert np.all([k.benchmark for k in table.kernels])


@pytest.mark.parametrize("size", ["9" * 310, "9" * 5000, "-4", "1e308", "nan"])
def test_sizes_that_no_kernel_has(size: str) -> None:
    text = (
        f'{COLUMNS}\na,MatMulV2,"16,{size};{size},1024",DT_BF16;DT_BF16,"16,1024",DT_BF16,12\n'
        f'd,DynamicQuant,"16,{size}",DT_BF16,"16,4096;16",INT8;FLOAT,4\n'
        f'b,RmsNorm,"16,4096",DT_BF16,"16,4096",DT_BF16,{size}\n'
    )
    table = read_kernels([("op_summary.csv", text)])
    assert table.kernels == ()
    assert sum(table.skipped.values()) == 3
