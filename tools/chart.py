"""Bar charts as SVG, with Python's standard library alone. The same input gives the same bytes.

Bars lie; each row has a label, an axis is below, a limit is a dashed line. Colours follow the reader's scheme, light
or dark. A value is (number, text): the bar's length, and what is written at its end.
"""
import math
from xml.sax.saxutils import escape

WIDTH, LABEL_WIDTH, TEXT_WIDTH, MARGIN = 840, 210, 130, 16
BAR, GAP, TITLE_HEIGHT, LEGEND_HEIGHT, AXIS_HEIGHT = 14, 10, 34, 22, 58
COLOURS = 6

STYLE = """
svg { font: 12px system-ui, sans-serif; }
.back { fill: #ffffff; }
text { fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.small { fill: #59636e; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.limit { stroke: #b3261e; stroke-width: 1.5; stroke-dasharray: 5 3; }
.limit-text { fill: #b3261e; }
.c0 { fill: #2a6fbb; } .c1 { fill: #d9822b; } .c2 { fill: #2f9163; }
.c3 { fill: #8a5cc2; } .c4 { fill: #b88a00; } .c5 { fill: #7d8590; }
@media (prefers-color-scheme: dark) {
.back { fill: #0d1117; }
text { fill: #e6edf3; }
.small { fill: #9198a1; }
.grid { stroke: #30363d; }
.limit { stroke: #ff7b72; }
.limit-text { fill: #ff7b72; }
.c0 { fill: #58a0ea; } .c1 { fill: #e69a4c; } .c2 { fill: #4fb783; }
.c3 { fill: #a881dd; } .c4 { fill: #d4a72c; } .c5 { fill: #8b949e; }
}
"""


def coordinate(value):
    """At most one digit behind the point."""
    return f"{value:.1f}".removesuffix(".0")


def text(x, y, words, kind="", anchor="start"):
    kind = f' class="{kind}"' if kind else ""
    anchor = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{coordinate(x)}" y="{coordinate(y)}"{kind}{anchor}>{escape(str(words))}</text>'


def rect(x, y, width, height, kind):
    return (f'<rect x="{coordinate(x)}" y="{coordinate(y)}" width="{coordinate(width)}" '
            f'height="{coordinate(height)}" class="{kind}"/>')


def line(x, top, bottom, kind):
    x = coordinate(x)
    return f'<line x1="{x}" y1="{coordinate(top)}" x2="{x}" y2="{coordinate(bottom)}" class="{kind}"/>'


def ticks(most):
    """Round numbers from 0 to at least `most`, four to ten of them."""
    step = 10.0 ** math.floor(math.log10(most)) if most > 0 else 1.0
    for part in (1, 2, 4, 5):
        if most / (step / part) >= 3:
            step /= part
            break
    return [step * n for n in range(math.ceil(most / step - 1e-9) + 1)]


class Canvas:
    """Where bars are drawn: the frame of a chart, for rows of a height."""

    def __init__(self, title, names, heights, numbers, limit, axis):
        self.top = TITLE_HEIGHT + LEGEND_HEIGHT
        self.bottom = self.top + sum(heights)
        self.marks = ticks(max([*numbers, limit[0] if limit else 0]))
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.bottom + AXIS_HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
            rect(0, 0, WIDTH, self.bottom + AXIS_HEIGHT, "back"), text(MARGIN, 24, title, "title")]
        self.legend(names)
        for mark in self.marks:
            self.parts.append(line(self.x(mark), self.top, self.bottom, "grid"))
            self.parts.append(text(self.x(mark), self.bottom + 15, f"{mark:g}", "small", "middle"))
        self.parts.append(text(LABEL_WIDTH, self.bottom + 32, axis, "small"))
        self.limit = limit

    def x(self, value):
        return LABEL_WIDTH + value / self.marks[-1] * (WIDTH - LABEL_WIDTH - TEXT_WIDTH)

    def legend(self, names):
        x = LABEL_WIDTH
        for number, name in enumerate(names):
            self.parts.append(rect(x, TITLE_HEIGHT + 2, 10, 10, f"c{number % COLOURS}"))
            self.parts.append(text(x + 15, TITLE_HEIGHT + 11, name))
            x += 34 + 7 * len(name)

    def end(self):
        if self.limit:
            value, words = self.limit
            self.parts.append(line(self.x(value), self.top - 4, self.bottom, "limit"))
            is_far = value > self.marks[-1] / 2
            self.parts.append(text(self.x(value) + (-4 if is_far else 4), self.bottom + 49, words, "limit-text",
                                   "end" if is_far else "start"))
        return "\n".join([*self.parts, "</svg>\n"])


def bars(title, axis, names, rows, limit=None):
    """Rows of (label, values), a value for each name, None where there is none; limit: (number, text)."""
    heights = [BAR * len(values) + GAP for _, values in rows]
    canvas = Canvas(title, names, heights, [v[0] for _, values in rows for v in values if v], limit, axis)
    top = canvas.top
    for (label, values), height in zip(rows, heights):
        canvas.parts.append(text(LABEL_WIDTH - 8, top + height / 2 + 4, label, anchor="end"))
        for number, value in enumerate(values):
            if value is None:
                continue
            y = top + GAP / 2 + number * BAR
            canvas.parts.append(rect(LABEL_WIDTH, y, canvas.x(value[0]) - LABEL_WIDTH, BAR - 2, f"c{number % COLOURS}"))
            canvas.parts.append(text(canvas.x(value[0]) + 5, y + BAR - 4, value[1]))
        top += height
    return canvas.end()


def stacks(title, axis, rows, limit=None):
    """Rows of (label, pieces, text), a piece being (name, value): behind each other; their values are written below."""
    names = list(dict.fromkeys(name for _, pieces, _ in rows for name, _ in pieces))
    heights = [BAR * 2 + 18 + GAP for _ in rows]
    sums = [sum(value for _, value in pieces) for _, pieces, _ in rows]
    canvas = Canvas(title, names, heights, sums, limit, axis)
    top = canvas.top
    for (label, pieces, words), height in zip(rows, heights):
        canvas.parts.append(text(LABEL_WIDTH - 8, top + BAR + 6, label, anchor="end"))
        at = 0
        for name, value in pieces:
            kind = f"c{names.index(name) % COLOURS}"
            canvas.parts.append(rect(canvas.x(at), top + GAP / 2, canvas.x(value) - LABEL_WIDTH, BAR + 6, kind))
            at += value
        canvas.parts.append(text(canvas.x(at) + 5, top + BAR + 6, words))
        told = " · ".join(f"{name} {value:.1f}" for name, value in pieces)
        canvas.parts.append(text(LABEL_WIDTH, top + GAP / 2 + BAR + 20, told, "small"))
        top += height
    return canvas.end()
