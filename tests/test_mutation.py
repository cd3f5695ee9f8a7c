"""What the script that changes the code changes, and which lines it takes to matter."""

import pytest

from tests.mutation import ROOMS, changed, defined, files_of, mutants, naming, reaching

SOURCE = '''\
"""A docstring with 1 + 1."""
LIMIT: int | None = 3


def twice(x: int | None, *, most=8) -> int | None:
    """Return 2 * x."""
    assert x is not None
    if x < LIMIT:
        raise ValueError(f"{x + 1} is less")
    return x * 2
'''


def test_what_is_changed() -> None:
    """Numbers, comparisons and operators; not annotations, messages, assertions or the star."""
    pytest.importorskip("cosmic_ray")
    lines = SOURCE.splitlines()
    found = {}
    for mutant in mutants(SOURCE):
        text = changed(SOURCE, mutant)
        assert text is not None
        (line,) = (i for i, new in enumerate(text.splitlines()) if new != lines[i])
        found.setdefault(line + 1, set()).add("".join(text.splitlines()[line].split()))
    assert found == {
        2: {"LIMIT:int|None=4", "LIMIT:int|None=2"},
        5: {
            "deftwice(x:int|None,*,most=9)->int|None:",
            "deftwice(x:int|None,*,most=7)->int|None:",
        },
        8: {"ifx<=LIMIT:", "ifx>=LIMIT:", "ifnotx<LIMIT:"},
        10: {"returnx/2", "returnx+2", "returnx*3", "returnx*1"},
    }


def test_which_lines_run_if_a_place_matters() -> None:
    assert reaching(SOURCE, (10, 11)) == [10]
    assert reaching(SOURCE, (8, 7)) == [8]
    assert reaching(SOURCE, (5, 32)) == [6, 7, 8, 9, 10]  # a default
    assert reaching(SOURCE, (2, 20)) == []
    assert (defined(SOURCE, (2, 20)), defined(SOURCE, (10, 11))) == ({"LIMIT"}, set())
    assert naming(SOURCE, {"LIMIT"}) == [8]


def test_every_room_has_modules_and_no_module_two_rooms() -> None:
    files = {room: files_of(room) for room in ROOMS}
    assert all(files.values())
    listed = [path for paths in files.values() for path in paths]
    assert len(listed) == len(set(listed))
