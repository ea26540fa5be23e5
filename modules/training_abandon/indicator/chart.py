# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The charts of the reports, as pictures"
from io import BytesIO
from textwrap import fill

# The size of the pictures, in inches, and their dots by inch
WIDTH, HEIGHT = 6.7, 2.4
DPI = 150
# The most letters in a line of a label
LINE = 28
COLORS = ['#1f4e79', '#c9ced6', '#267f82']


def bars(labels, series, tell='{:g}'.format):
    """Return the PNG of the vertical bars of the series by label

    series is the list of (name, values), in which nothing is no bar, and tell
    returns the words of a value."""
    series = [
        (name, values) for name, values in series
        if any(v is not None for v in values)] or series[:1]
    figure, axes = _new_chart(HEIGHT)
    width = 0.8 / len(series)
    for number, (name, values) in enumerate(series):
        drawn = axes.bar(
            [i + (number - (len(series) - 1) / 2) * width
                for i in range(len(labels))],
            [v or 0 for v in values], width,
            label=name, color=COLORS[number])
        axes.bar_label(
            drawn, ['' if v is None else tell(v) for v in values],
            fontsize=7)
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    axes.margins(y=0.15)
    axes.legend(
        fontsize=8, frameon=False, ncols=len(series), loc='lower right',
        bbox_to_anchor=(1, 1))
    return _png(figure)


def horizontal_bars(labels, values):
    "Return the PNG of the horizontal bars of the values by label"
    figure, axes = _new_chart(0.5 + 0.4 * len(labels))
    drawn = axes.barh(range(len(labels)), values, color=COLORS[0])
    axes.bar_label(drawn, [f' {v:g}' for v in values], fontsize=8)
    axes.set_yticks(
        range(len(labels)), [fill(label, LINE) for label in labels],
        fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    return _png(figure)


def _new_chart(height):
    # It takes long to import and only the reports draw
    from matplotlib.figure import Figure
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout='constrained')
    axes = figure.subplots()
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(labelsize=8)
    return figure, axes


def _png(figure):
    "Return the PNG with its width and height"
    buffer = BytesIO()
    # The same numbers make the same file
    figure.savefig(buffer, format='png', metadata={'Software': None})
    width, height = figure.get_size_inches()
    return buffer.getvalue(), f'{width:.2f}in', f'{height:.2f}in'
