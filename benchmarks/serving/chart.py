"""The servers' requests a second as a picture."""

from matplotlib.figure import Figure

from benchmarks.serving.rounds import Spread
from training.reporting.pictures.palette import BLUE, GREY, ORANGE, SKY, open_frame
from training.reporting.pictures.sheet import as_png


def draw(bars: list[tuple[str, str, Spread]], hardware: str) -> bytes:
    """Write a PNG with a bar for each server (title, name, rates), in order; whiskers span all rounds."""
    figure = Figure(figsize=(9, 0.36 * len(bars) + 1.2), layout="constrained")
    axes = figure.subplots()
    for place, (_, name, rates) in enumerate(bars):
        whisker = [[rates.median - rates.low], [rates.high - rates.median]]
        axes.barh(place, rates.median, color=_colour(name), xerr=whisker, error_kw={"linewidth": 0.8})
        axes.annotate(
            f"{rates.median:,.0f}", (rates.high, place), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(range(len(bars)), [title.replace("`", "") for title, _, _ in bars])
    axes.set_xlabel(f"requests/s, one JSON image; {hardware}, one for the server and one for wrk")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.margins(x=0.1, y=0.02)
    open_frame(axes)
    axes.grid(visible=False, axis="y")
    return as_png(figure)


def _colour(name: str) -> str:
    if name.startswith("demur"):
        return BLUE
    if name.startswith("limit"):
        return GREY
    return SKY if name in {"starlette", "fastapi", "fastapi-def", "fastapi-async"} else ORANGE
