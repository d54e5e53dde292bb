"""Histograms for the report: small SVG drawings in the page's own colours and font."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

# Drawn in these, then written as the page's own colours, so that charts follow light and dark.
INK, FAINT, ACCENT, MARK = "#010101", "#020202", "#030303", "#040404"
_COLOURS = {INK: "var(--muted)", FAINT: "var(--line)", ACCENT: "var(--accent)",
            MARK: "var(--ink)"}


def histogram(title: str, unit: str, values: np.ndarray, mark: float | None = None
              ) -> dict[str, Any] | None:
    """A chart and the sentence under it; None where there is nothing to count.

    Few values are drawn as dots: bars of one or two each would pretend to a shape.
    """
    if not len(values):
        return None
    values = np.round(values, 6)  # times differ by less than that only by how they were added
    low, median, high = np.percentile(values, [5, 50, 95])
    longest = float(np.percentile(values, 99))
    cut = values.max() > 1.5 * longest  # a few very long ones would squeeze all others to a line
    shown = np.minimum(values, longest) if cut else values
    figure = Figure(figsize=(3.9, 1.9))
    axes = figure.add_axes((0.09, 0.17, 0.89, 0.76))
    if len(values) < 10:
        axes.scatter(shown, np.full(len(shown), 0.5), s=70, color=ACCENT, alpha=0.75, linewidth=0)
        axes.set_ylim(0, 1)
        axes.set_yticks([])
    else:
        axes.hist(shown, bins=_bins(shown).tolist(), color=ACCENT, rwidth=0.9)
        axes.locator_params(axis="y", nbins=4, integer=True)
        axes.grid(axis="y", color=FAINT, linewidth=0.8)
    if mark is not None:
        axes.axvline(mark, color=MARK, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.locator_params(axis="x", nbins=7, integer=bool(np.all(values == np.round(values))))
    axes.ticklabel_format(useOffset=False)
    axes.set_axisbelow(True)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9.5, length=0, pad=5)
    return {
        "title": title,
        "unit": unit,
        "median": short(median), "low": short(low), "high": short(high),
        "count": len(values),
        "cut": short(longest) if cut else "",
        "mark": mark,
        "svg": _svg(figure, salt=f"{title}, {unit}"),
    }


def _bins(values: np.ndarray) -> np.ndarray:
    """Edges of the bars: one a number where they are few whole numbers, 24 even ones elsewhere."""
    low, high = values.min(), values.max()
    if high - low < 40 and np.all(values == np.round(values)):
        return np.arange(low - 0.5, high + 1)
    return np.linspace(low, high, 25) if high > low else np.linspace(low - 0.5, low + 0.5, 26)


def _svg(figure: Figure, salt: str) -> str:
    """The figure as an SVG element to stand in HTML, the same for the same figure.

    `salt` keeps the names inside one picture apart from those of others in the same page.
    """
    buffer = io.StringIO()
    settings = {"svg.hashsalt": salt, "svg.fonttype": "none"}  # text in the page's own font
    with matplotlib.rc_context(settings):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg"):], flags=re.DOTALL)
    text = re.sub(r' id="[^"]+_\d+"', "", text)  # nothing refers to these, and pages repeat them
    for drawn, written in _COLOURS.items():
        text = text.replace(drawn, written)
    return text


def short(value: float) -> str:
    """A figure for a sentence: "1,204", "28", "6.8", "0.43"."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
