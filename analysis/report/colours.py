"""The colours of the page, light and dark.

The hues are those of analysis.style (Okabe & Ito, 2008), which all common forms of colour vision
tell apart; each is made darker for the light page or lighter for the dark one where it needs that
to stand out by 3 : 1 (graphics; WCAG 2.2, 1.4.11), and words by 4.5 : 1 (1.4.3).
"""

from __future__ import annotations

from analysis import style

RUNS_LIGHT = (style.BLUE, style.VERMILLION, style.GREEN, "#B5578D", "#B07A00", "#2A8CC4")
RUNS_DARK = (style.SKY, "#F5793B", "#20C79A", "#E39AC4", style.ORANGE, "#9AD3F5")
"""Colours of the other runs, in order; the reference is drawn in the colour of the text."""

LIGHT = {
    "page": "#FFFFFF",
    "sheet": "#F5F7F9",
    "text": "#15181C",
    "muted": "#555E68",
    "line": "#CBD2D9",
    "grid": "#E7EBEF",
    "reference": style.BLACK,
    "link": "#00588A",
    "pass": "#00694A",
    "fail": "#A63C00",
    "event": "#F6DFAE",
    "hold": "#0072B2",
}
DARK = {
    "page": "#14171B",
    "sheet": "#1D2126",
    "text": "#ECEFF2",
    "muted": "#A7B0BA",
    "line": "#414A54",
    "grid": "#2A3037",
    "reference": "#FFFFFF",
    "link": "#7CC4F0",
    "pass": "#3BD6A5",
    "fail": "#FF9C66",
    "event": "#4E4018",
    "hold": "#7CC4F0",
}


def variables() -> str:
    """Both sets as CSS variables; paper gets the light one whatever the screen shows."""
    dark = _declared(DARK, RUNS_DARK)
    return (
        f":root{{color-scheme:light;{_declared(LIGHT, RUNS_LIGHT)}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{color-scheme:dark;{dark}}}}}\n"
        + "".join(
            f".run-{k}{{--c:var(--run-{(k - 1) % len(RUNS_LIGHT) + 1})}}\n" for k in range(1, 25)
        )
    )


def _declared(named: dict[str, str], runs: tuple[str, ...]) -> str:
    values = {**named, **{f"run-{k}": colour for k, colour in enumerate(runs, 1)}}
    return "".join(f"--{name}:{colour};" for name, colour in values.items())


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours ("#RRGGBB"), 1 to 21 (WCAG 2.2, relative luminance)."""
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
