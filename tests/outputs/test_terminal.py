"""What is printed into a file is what rich would print there, to the byte."""

from importlib.metadata import version

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.outputs import terminal
from specc.report.document import (
    Column,
    Depth,
    Figure,
    Figures,
    Finding,
    Heading,
    Note,
    Row,
    Table,
    Text,
)

PLAIN = st.text("ab 7.,|[]\\*·×≤…→", max_size=12)
TEXTS = st.one_of(PLAIN, PLAIN, PLAIN, st.text("aé漢\u0301\t\n\x1b", max_size=2), st.just("x" * 70))


@st.composite
def _tables(draw) -> Table:
    texts = draw(st.sampled_from([PLAIN, PLAIN, TEXTS]))
    columns = tuple(
        Column(draw(texts), draw(texts), draw(st.booleans()), detail=draw(DETAIL))
        for _ in range(draw(st.integers(1, 4)))
    )
    rows = tuple(
        Row(tuple(draw(texts) for _ in columns), draw(st.booleans()))
        for _ in range(draw(st.sampled_from([0, 1, 3, 22])))
    )
    return Table(
        id="t", depth=Depth.SUMMARY, title=draw(texts), columns=columns, rows=rows, note=draw(TEXTS)
    )


DETAIL = st.sampled_from([False, False, False, True])
SUMMARY = {"id": "b", "depth": Depth.SUMMARY}
BLOCKS = (
    st.builds(lambda text: Heading(text=text, **SUMMARY), TEXTS)
    | st.builds(lambda text: Text(text=text, **SUMMARY), TEXTS)
    | st.builds(lambda text: Note(text=text, **SUMMARY), TEXTS)
    | st.builds(
        lambda text, good: Figures(
            good=good,
            headline=text,
            figures=(Figure(title=text, value="1", unit="s", limit=text, probability=text),),
            findings=(Finding("Cost", text),),
            **SUMMARY,
        ),
        TEXTS,
        st.booleans(),
    )
    | _tables()
)


@settings(max_examples=300)
@given(st.lists(BLOCKS, max_size=3))
def test_plain_text_is_that_of_rich(blocks) -> None:
    parts = [part for block in blocks for part in terminal._parts(block)]
    plain = terminal._plain(parts)
    assert plain is None or plain == terminal._styled(parts)


def test_a_usual_table_needs_no_rich() -> None:
    table = Table(
        columns=(Column("Layout", numeric=False), Column("TPOT", "ms")),
        rows=(Row(("TP=8 × 2", "49.80")), Row(("TP=4", "9"))),
        title="Candidates",
        **SUMMARY,
    )
    parts = list(terminal._parts(table))
    assert terminal._plain(parts) == terminal._styled(parts)


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_colours_that_are_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "TTY_COMPATIBLE" and int(version("rich").partition(".")[0]) < 14:
        pytest.skip("rich knows it since 14")
    monkeypatch.setenv(name, "1")
    assert "\x1b[" in terminal.shown([Heading(text="A study", **SUMMARY)])
