"""Draws cost against the size of the collection: one small plot for each cell, both axes logarithmic."""

import math
import statistics

COLORS = ["#d6451d", "#33608f", "#7a7a7a"]
WIDTH, HEIGHT, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 300, 210, 48, 34, 236, 140


def plot(path, cells, sizes):
    """Writes an SVG of the medians; `sizes` has, by size, the results of each system."""
    systems = list(next(iter(sizes.values())))
    columns = 3
    rows = (len(cells) + columns - 1) // columns
    parts = []
    for number, (name, title) in enumerate(cells):
        parts.append(f'<g transform="translate({number % columns * WIDTH},{number // columns * HEIGHT})">')
        parts += panel(name, title, systems, sizes)
        parts.append("</g>")
    for number, system in enumerate(systems):
        x, y = LEFT + 200 * number, rows * HEIGHT + 12
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{COLORS[number]}"/>')
        parts.append(f'<text x="{x + 16}" y="{y}">{system}</text>')
    with open(path, "w") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * WIDTH}" height="{rows * HEIGHT + 28}" '
            'font-family="sans-serif" font-size="11" fill="#222">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def panel(name, title, systems, sizes):
    points = {
        system: [
            (math.log10(size), math.log10(statistics.median(results[system][name][1])))
            for size, results in sizes.items() if name in results[system]]
        for system in systems}
    ys = [y for line in points.values() for _, y in line]
    xs = [math.log10(size) for size in sizes]
    low, high = math.floor(min(ys)), max(math.ceil(max(ys)), math.floor(min(ys)) + 1)
    span = max(max(xs) - min(xs), 1)

    def place(x, y):
        return (LEFT + (x - min(xs)) / span * PLOT_WIDTH, TOP + (high - y) / (high - low) * PLOT_HEIGHT)

    yield f'<text x="{LEFT}" y="{TOP - 12}" font-weight="bold">{title}, ms</text>'
    for power in range(low, high + 1):
        y = place(0, power)[1]
        yield f'<path d="M{LEFT} {y:.1f}h{PLOT_WIDTH}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0 ** power:g}</text>'
    for size in sizes:
        x = place(math.log10(size), low)[0]
        yield f'<text x="{x:.1f}" y="{TOP + PLOT_HEIGHT + 16}" text-anchor="middle">{size:.0e}</text>'.replace("e+0", "e")
    for number, system in enumerate(systems):
        if not points[system]:
            continue
        line = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points[system])
        yield f'<polyline points="{line}" fill="none" stroke="{COLORS[number]}" stroke-width="2"/>'
