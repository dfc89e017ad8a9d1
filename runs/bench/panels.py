"""Draws small panels of seconds over an amount, both in steps of doubling, as one SVG that reads in light and dark."""
import math
from dataclasses import dataclass

WIDTH, HEIGHT, COLUMNS = 250, 190, 3
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 44, 24  # around a panel's plot

# The colours of laser's reports.
STYLE = """
:root{color-scheme:light dark;--page:#fdfdfb;--ink:#1b1d21;--soft:#5c6169;--faint:#8b9098;--line:#dcdcd6;--mark:#0b5cad}
@media (prefers-color-scheme:dark){:root{--page:#15171a;--ink:#e7e6e2;--soft:#a4a8ae;--faint:#777c84;--line:#34373c;--mark:#6db3f8}}
svg{font:11px/1.3 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.page{fill:var(--page)} text{fill:var(--soft)} .title{fill:var(--ink);font-weight:600} .middle{text-anchor:middle} .end{text-anchor:end}
.rule{stroke:var(--line)} .law{stroke:var(--faint);stroke-dasharray:4 3;fill:none} .law-name{fill:var(--faint)}
.curve{stroke:var(--mark);stroke-width:1.5;fill:none} .dot{fill:var(--mark)}
"""


@dataclass
class Panel:
    title: str
    amounts: list
    seconds: list
    power: float  # of the law drawn beside the points, through the last of them


def law_name(power):
    return "seconds; dashed: " + {0: "constant", 1: "in proportion", -1: "in inverse proportion"}.get(power, f"to the power of {power:g}")


def duration(seconds):
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def drawing(panels):
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT + 8
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">', f"<style>{STYLE}</style>",
             f'<rect class="page" width="{width}" height="{height}"/>']
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number % COLUMNS * WIDTH} {number // COLUMNS * HEIGHT})">{plot(panel)}</g>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def plot(panel):
    low, high = math.floor(math.log2(min(panel.seconds))), math.ceil(math.log2(max(panel.seconds)))
    while high - low < 2:
        low, high = low - 1, high + (high - low < 1)
    first, last = math.log2(panel.amounts[0]), math.log2(panel.amounts[-1])

    def x(power):
        share = (power - first) / (last - first) if last > first else 0.5
        return LEFT + 8 + share * (WIDTH - LEFT - RIGHT - 16)

    def y(power):
        return HEIGHT - BOTTOM - (power - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def line(kind, points):
        return f'<polyline class="{kind}" points="' + " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points) + '"/>'

    points = [(math.log2(amount), math.log2(value)) for amount, value in zip(panel.amounts, panel.seconds)]
    # A power law is a straight line here, drawn from the last point as far back as the plot has room.
    end, room = points[-1][1], last - first
    if panel.power > 0:
        room = min(room, (end - low) / panel.power)
    elif panel.power < 0:
        room = min(room, (end - high) / panel.power)
    law = [(last - room, end - panel.power * room), points[-1]]

    parts = [f'<text class="title" x="{LEFT}" y="14">{panel.title}</text>', f'<text class="law-name" x="{LEFT}" y="29">{law_name(panel.power)}</text>']
    for power in range(low, high + 1, math.ceil((high - low) / 5)):
        parts += [f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(power):.1f}" y2="{y(power):.1f}"/>',
                  f'<text class="end" x="{LEFT - 6}" y="{y(power) + 4:.1f}">{duration(2.0**power)}</text>']
    parts += [f'<text class="middle" x="{x(math.log2(amount)):.1f}" y="{HEIGHT - BOTTOM + 15}">{amount}</text>' for amount in panel.amounts]
    parts += [line("law", law), line("curve", points)]
    parts += [f'<circle class="dot" cx="{x(a):.1f}" cy="{y(b):.1f}" r="3"><title>{amount}: {duration(value)}</title></circle>'
              for (a, b), amount, value in zip(points, panel.amounts, panel.seconds)]
    return "".join(parts)
