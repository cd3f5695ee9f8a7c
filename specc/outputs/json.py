"""JSON: the results themselves, for scripts; `specc.load_results` reads the file again."""

from typing import Any

from specc.outputs.material import Material
from specc.results import Results


def write(material: Material) -> str:
    """Return the results."""
    return material.results.to_json()


def simulations(results: Results) -> Any:
    """Return what was simulated, and the verdicts on it, as plain data."""
    from specc.ir.json import to_json
    from specc.results import rounded

    return rounded(
        [
            {
                "study": study.study.name,
                "settings": dict(study.study.settings),
                "simulations": [to_json(simulated) for simulated in study.simulations],
                "verdicts": [to_json(verdict) for verdict in study.verdicts],
            }
            for study in results.studies
        ]
    )
