"""The colours of all pictures and the style of their axes."""

from matplotlib.axes import Axes

# Okabe and Ito's palette, which colour-blind readers can distinguish; lines and marks differ too, for print.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"


def open_frame(axes: Axes) -> None:
    """Keep only the two lines with the scales, and add a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
