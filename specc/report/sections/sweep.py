"""A swept study as one section: where the winner changes, how far figures move, all variants."""

from collections.abc import Iterator, Sequence

from attrs import evolve

from specc.report import format as show
from specc.report.charts.sweep import heat_map, sweep_chart
from specc.report.columns import METRICS, MONEY, columns, of_configuration
from specc.report.document import (
    Chart,
    Column,
    Depth,
    Figure,
    Figures,
    Finding,
    ReportBlock,
    Row,
    Table,
)
from specc.report.findings import basis, costs, objective_name
from specc.report.headline import layout, margin, title_of, what
from specc.report.odds import in_words, likely, odds
from specc.report.study import ReportedStudy
from specc.report.words import NOTHING_FITS, capital, sized
from specc.results import Configuration, StudyResult, objective_of
from specc.units import counted

_MOST_NAMED = 3  # variants of a winner that a sentence names


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield what a reader decides on, the table and the picture of a sweep."""
    yield _card(study)
    table = _table(study.sweep_id("sweep-variants"), study.variants)
    yield evolve(table, note=_whole(study))
    swept = len(study.study.settings)
    drawn = sweep_chart(study.variants) if swept == 1 else None
    if drawn is not None:
        yield Chart(
            id=study.sweep_id("sweep"),
            title="Throughput over the swept field",
            alt="Throughput of the best configuration over the swept field",
            lines=(drawn,),
        )
    if swept == 2:
        heat = heat_map(study.variants)
        yield Chart(
            id=study.sweep_id("sweep"),
            title=heat.title,
            alt="Throughput of the best configuration over the swept fields",
            heat=heat,
        )


def _card(study: ReportedStudy) -> Figures:
    found = [(result, result.best) for result in study.variants]
    known = [(result, best) for result, best in found if best is not None]
    without = [result for result, best in found if best is None]
    findings = [Finding("Winner changes", _winners(study, known, without))]
    if known:
        findings += _of_variants(study, known)
    id_ = study.sweep_id("recommendation")
    return Figures(
        id=id_,
        depth=Depth.SUMMARY,
        good=not without,
        headline=_headline(study, known, without),
        figures=tuple(_figures(study, known)),
        findings=tuple(findings),
    )


Known = Sequence[tuple[StudyResult, Configuration]]


def _name(study: ReportedStudy, found: Configuration) -> str:
    groups = " + ".join(
        f"{'' if g.phase == 'whole' else g.phase + ' '}{layout(g)}" for g in found.instances
    )
    return f"{found.deployment}, {groups}" if study.several else groups


def _headline(study: ReportedStudy, known: Known, without: Sequence[StudyResult]) -> str:
    if study.study.servers:
        return f"{len(study.variants)} variants of measured servers; the table compares them."
    if not known:
        return f"{capital(NOTHING_FITS)} in any of {len(without)} variants."
    winners = _grouped(study, known)
    first, own = max(winners.items(), key=lambda pair: len(pair[1]))
    total = len(study.variants)
    many = f"all {total}" if len(own) == total else f"{len(own)} of {total}"
    return f"Deploy {_what(study, first, own)}: the best in {many} variants.{_odds(known)}"


def _what(study: ReportedStudy, name: str, won: Sequence[StudyResult]) -> str:
    """Say what wins in some variants: whole where it is the same in all, else by its layout."""
    best = [(ReportedStudy(result, study.variants, study.whole), result.best) for result in won]
    texts = {f"{found.model} as {what(of, found)}" for of, found in best if found is not None}
    if len(texts) == 1:
        return texts.pop()
    found = [each for _, each in best if each is not None]
    devices = {each.devices for each in found}
    low, high = min(devices), max(devices)
    size = f"{low} devices" if low == high else f"{low} to {high} devices"
    models = " or ".join(dict.fromkeys(each.model for each in found))
    return f"{models} with {name} on {size}"


def _odds(known: Known) -> str:
    """Say how likely the limits are to hold, from the variant where that is least sure."""
    each = [[k.probability for k in best.slo if k.probability is not None] for _, best in known]
    sure = [min(own) for own in each if own]
    if not sure:
        return ""
    low, high = show.probability(min(sure)), show.probability(max(sure))
    if low == high:
        return f" The limits are {likely(min(sure))}."
    return f" The limits are {low} to {high} likely to hold."


def _grouped(study: ReportedStudy, known: Known) -> dict[str, list[StudyResult]]:
    winners: dict[str, list[StudyResult]] = {}
    for result, best in known:
        winners.setdefault(_name(study, best), []).append(result)
    return winners


def _winners(study: ReportedStudy, known: Known, without: Sequence[StudyResult]) -> str:
    """Say where another configuration is the best, and where none keeps the limits."""
    winners = _grouped(study, known)
    usual = max(winners, key=lambda name: len(winners[name]), default="")
    said = [f"{name} with {_named(own)}" for name, own in winners.items() if name != usual]
    text = f"{'; '.join(said)}." if said else "Nowhere."
    if without:
        text += f" {capital(NOTHING_FITS)} with {_named(without)}."
    return text


def _named(results: Sequence[StudyResult]) -> str:
    named = [f"({result.study.variant})" for result in results[:_MOST_NAMED]]
    more = len(results) - len(named)
    return " and ".join(named) + (f" and {more} more" if more else "")


def _figures(study: ReportedStudy, known: Known) -> Iterator[Figure]:
    if not known:
        return
    objective = study.study.objective
    order = sorted(known, key=lambda pair: objective_of(pair[1], objective))
    for title, (result, best) in (("Lowest", order[0]), ("Highest", order[-1])):
        name = objective_name(objective)
        rate = show.rate(best.throughput)  # as the table below has it
        yield Figure(title=f"{title} {name}", value=rate, unit="tok/s", note=result.study.variant)
    limits = [(margin(kept), n, kept) for n, (_, best) in enumerate(known) for kept in best.slo]
    if limits:
        _, place, kept = min(limits, key=lambda entry: entry[:2])
        if kept.probability is not None:
            yield Figure(
                title=f"Least sure: {title_of(kept.fact)}",
                value=show.probability(kept.probability),
                probability=in_words(kept.probability),
                odds=odds(kept.probability),
                note=known[place][0].study.variant,
            )


def _of_variants(study: ReportedStudy, known: Known) -> Iterator[Finding]:
    own = next((r for r, _ in known if r is study.result), known[0][0])
    first = ReportedStudy(own, study.variants, study.whole)
    best = own.best
    assert best is not None
    near = _breaks(known)
    if near:
        yield Finding("Breaks first", near)
    sizes = {found.devices for _, found in known}
    if len(sizes) == 1:
        yield Finding("Cost", " ".join(costs(first, best)))
    yield Finding("Rests on", " ".join(basis(first, best)))


def _breaks(known: Known) -> str:
    """Say which limit is the nearest, and in how many variants."""
    nearest = [
        title_of(min(seen, key=margin).fact)
        for _, best in known
        if (seen := [kept for kept in best.slo if kept.value is not None])
    ]
    if not nearest:
        return ""
    counts = {title: nearest.count(title) for title in dict.fromkeys(nearest)}
    if len(counts) == 1:
        return f"{capital(nearest[0])} in every variant."
    return capital("; ".join(f"{t} in {counted(n, 'variant')}" for t, n in counts.items())) + "."


def _whole(study: ReportedStudy) -> str:
    """Say where variants are shown whole."""
    if len(study.whole) == len(study.variants):
        return "The page has each variant whole, and the result file has the data."
    best = "the best one" if study.best is not None else "the first one"
    return (
        f"Of these {len(study.variants)} variants the page shows {best} whole: "
        f"{study.study.variant}. The result file has all of them; to see another one whole, "
        "leave it alone in the sweep."
    )


def _table(id_: str, results: Sequence[StudyResult]) -> Table:
    names = [path for path, _ in results[0].study.settings]
    best = [result.best for result in results if result.best is not None]
    cells = columns(of_configuration, (*METRICS, *MONEY), best)
    rows = []
    for result in results:
        values = tuple(value for _, value in result.study.settings)
        own = result.best
        if own is None:
            blanks = ["–"] * (len(cells) + 1)
            # Measured servers have no layout; what they do is simulated.
            found = result.simulations[0].name if result.simulations else NOTHING_FITS
            rows.append(Row((*values, found, *blanks)))
            continue
        where = f"{own.deployment}, {sized(own)}"
        rows.append(Row((*values, where, show.integer(own.devices), *(c.text(own) for c in cells))))
    return Table(
        id=id_,
        depth=Depth.SUMMARY,
        whole=True,
        title="Sweep",
        columns=(
            *(Column(name, numeric=False) for name in names),
            Column("Recommended", numeric=False),
            Column("Devices"),
            *(c.column for c in cells),
        ),
        rows=tuple(rows),
    )
