"""Draws what the page of the curators shows of uncertainty: docs/curators_coverage.svg and docs/curators_decided.svg.

    python benchmarks/curator_drawings.py

From the points that `curators.py --only snr` and `acoustic_uncertainty.py judge` keep: held-out clips with their score,
truth and deviation.
"""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

import numpy as np

from auricle.dashboards.drawing.charts import Curve, curves

POINTS = Path(__file__).resolve().parents[1] / "build" / "curators"
DOCS = Path(__file__).resolve().parents[1] / "docs"
NOMINAL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
LEFT = np.linspace(0, 0.3, 13)
STYLE = (
    "<style>text{font:9px sans-serif;fill:#5f5b54}.axis{fill:none;stroke:#b5afa4}"
    ".curve{fill:none;stroke-width:1.8;stroke:#23527c}.curve1{stroke:#d67a35}.curve2{stroke:#2b7a6f}"
    ".dashed{stroke:#8f8a80;stroke-dasharray:3 3;stroke-width:1}</style>"
)


def points(score: str) -> np.ndarray:
    """`[N, 3]` score, truth, deviation."""
    return np.load(POINTS / f"points_{score}.npz")["rows"]


def coverage() -> str:
    """How many truths nominal intervals cover."""
    lines = []
    for score in ("snr_db", "c50_db", "speech_quality"):
        found, truth, wide = points(score).T
        off = np.abs(found - truth) / wide
        lines.append(Curve(score, [(p, float(np.mean(off <= NormalDist().inv_cdf(0.5 + p / 2)))) for p in NOMINAL]))
    return str(curves("Coverage", [*lines, Curve("as nominal", [(0, 0), (1, 1)], True)], "nominal", "truths covered"))


def decided() -> str:
    """How right the 15 dB gate is on what it decides: of all held-out clips, and of those away from the bound."""
    found, truth, wide = points("snr_db").T
    lines = []
    for name, chosen in (("all", truth > -99), ("truth more than 1 dB away", np.abs(truth - 15) > 1)):
        certain, right = np.abs(found - 15)[chosen] / wide[chosen], ((found >= 15) == (truth >= 15))[chosen]
        cut = [(float(share), float(right[certain >= np.quantile(certain, share)].mean())) for share in LEFT]
        lines.append(Curve(name, cut))
    return str(curves("15 dB gate", lines, "clips left undecided", "right of the decided", 0.9, 0.3))


def main() -> None:
    """Writes both."""
    for name, drawn in (("coverage", coverage()), ("decided", decided())):
        start = drawn.index(">") + 1
        head = drawn[:start].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="540" ', 1)
        (DOCS / f"curators_{name}.svg").write_text(head + STYLE + drawn[start:] + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
