"""Draws queries a second against recall@10, one thread: a panel for each set of vectors, up and to the right is better.

    vectors_plot.py PROGRESS FILE.svg      PROGRESS is what vectors.sh said on standard error
"""

import math
import re
import sys

COLORS = {
    "NexaDB": "#d6451d", "NexaDB, float16": "#e8894f", "NexaDB, int8": "#f2bd8b", "hnswlib": "#33608f", "faiss": "#5b8c5a",
    "usearch": "#7a7a7a"}
WIDTH, HEIGHT, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 440, 320, 60, 34, 360, 240
RECALLS = (0.9, 0.95, 0.98, 0.99, 0.995, 0.998)


def plot(path, panels):
    """Writes an SVG; `panels` has, by the title of the vectors and the library, points (recall, queries a second)."""
    parts = []
    for number, (title, curves) in enumerate(panels.items()):
        parts.append(f'<g transform="translate({number * WIDTH},0)">')
        parts += panel(title, curves)
        parts.append("</g>")
    for number, (library, color) in enumerate(COLORS.items()):
        x, y = LEFT + 130 * number, HEIGHT + 12
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{color}"/>')
        parts.append(f'<text x="{x + 16}" y="{y}">{library}</text>')
    with open(path, "w") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(2, len(panels)) * WIDTH}" height="{HEIGHT + 28}" '
            'font-family="sans-serif" font-size="11" fill="#222">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def panel(title, curves):
    # Recall as its distance to 1, logarithmic: 0.99 is as far from 0.9 as 0.999 is from 0.99.
    def across(recall):
        return -math.log10(1 - recall)

    # Narrow walks that are rescored have the same recall: the fastest stands for them.
    curves = {
        library: sorted((across(recall), math.log10(speed)) for recall, speed in
                        {recall: speed for recall, speed in sorted(points)}.items() if RECALLS[0] <= recall < 1)
        for library, points in curves.items()}
    speeds = [y for points in curves.values() for _, y in points]
    low, high = min(speeds) - 0.05, max(speeds) + 0.05
    left, right = across(RECALLS[0]), across(RECALLS[-1])

    def place(x, y):
        return (LEFT + (x - left) / (right - left) * PLOT_WIDTH, TOP + (high - y) / (high - low) * PLOT_HEIGHT)

    yield f'<text x="{LEFT}" y="{TOP - 12}" font-weight="bold">{title}, queries/s by recall@10</text>'
    for speed in (base * 10**power for power in range(2, 6) for base in (1, 2, 5)):
        if low <= math.log10(speed) <= high:
            y = place(left, math.log10(speed))[1]
            yield f'<path d="M{LEFT} {y:.1f}h{PLOT_WIDTH}" stroke="#ddd"/>'
            yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{speed:,}</text>'.replace(",", " ", 1)
    for recall in RECALLS:
        x = place(across(recall), low)[0]
        yield f'<path d="M{x:.1f} {TOP}v{PLOT_HEIGHT}" stroke="#eee"/>'
        yield f'<text x="{x:.1f}" y="{TOP + PLOT_HEIGHT + 16}" text-anchor="middle">{recall:g}</text>'
    for library, points in curves.items():
        line = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
        yield f'<polyline points="{line}" fill="none" stroke="{COLORS[library]}" stroke-width="2"/>'


def read(progress):
    """The points of one thread in one process."""
    panels, points = {}, None
    for line in progress:
        begun = re.match(r"\[[\d:]+\] (\d+ × .*?): (.*), threads: (\d+)$", line)
        found = re.match(r"\[[\d:]+\]\s+search\t\d+\t([\d.]+)\t(\d+)$", line)
        if found and points is not None:
            points.append((float(found[1]), int(found[2])))
        elif begun and begun[3] == "1" and begun[2] in COLORS:
            points = panels.setdefault(begun[1], {}).setdefault(begun[2], [])
        elif begun or not line.startswith("[") or "\t" not in line:
            points = None
    return panels


with open(sys.argv[1]) as file:
    plot(sys.argv[2], read(file))
