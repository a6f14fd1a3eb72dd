"""The table of ./x bench, and the comparison of two runs."""
import statistics

OURS = ("roadstead", "roadstead-tls")


def values(row, server):
    return [entry["value"] for entry in row["results"].get(server, []) if "value" in entry]


def by_round(row, server):
    return {entry["round"]: entry["value"] for entry in row["results"].get(server, []) if "value" in entry}


def our_name(row):
    return next((name for name in OURS if name in row["results"]), None)


def ratio(row):
    """Median over the rounds of ours against the best reference of the same round, and that reference."""
    ours = by_round(row, our_name(row) or "")
    best_name, best = None, None
    for name in row["reference"]:
        theirs = by_round(row, name)
        ratios = [ours[number] / theirs[number] for number in ours if theirs.get(number)]
        if ratios and (best is None or statistics.median(ratios) > best):
            best_name, best = name, statistics.median(ratios)
    return best_name, best


def number(value):
    if value is None:
        return "–"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def verdict(row, measured):
    if row["goal"] is None or measured is None:
        return ""
    return "ok" if measured <= row["goal"] else "MISS"


def line_of(row, names):
    cells = [row["name"], row["unit"]]
    cells += [number(min(values(row, name), default=None)) for name in names]
    _, compared = ratio(row)
    ours = values(row, our_name(row) or "")
    judged = compared if row["reference"] else min(ours, default=None)
    goal = number(row["goal"]) if row["goal"] is not None else ""
    cells += [number(compared) if row["reference"] else "", goal, verdict(row, judged)]
    return cells


def table(result):
    """Markdown. Columns are the servers; a cell is the best round; the ratio is a median over the rounds."""
    rows = result["rows"]
    names = [name for name in result["servers"] if any(values(row, name) for row in rows)]
    shown = {"nginx-nopush-off": "nginx nopush off", "docker-registry": "docker-registry 2"}
    lines = [["row", "unit", *(shown.get(name, name) for name in names), "ratio", "goal", ""]]
    lines += [line_of(row, names) for row in rows if any(values(row, name) for name in names)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = []
    for index, line in enumerate(lines):
        text.append("| " + " | ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                                      for column, (cell, width) in enumerate(zip(line, widths))) + " |")
        if index == 0:
            text.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def failures(result):
    """(row, server, why) of everything that has no figure."""
    return [(row["name"], server, entry["error"]) for row in result["rows"]
            for server, entries in row["results"].items() for entry in entries if "error" in entry]


def compare(old, new):
    """Our value and our ratio, before and after."""
    before = {row["name"]: row for row in old["rows"]}
    lines = ["| row | unit | before | now | change | ratio before | ratio now |", "|---|---|---|---|---|---|---|"]
    for row in new["rows"]:
        other = before.get(row["name"])
        name = our_name(row)
        if other is None or name is None or not values(row, name) or not values(other, name):
            continue
        was, now = min(values(other, name)), min(values(row, name))
        change = f"{(now / was - 1) * 100:+.0f} %" if was else "–"
        lines.append(f"| {row['name']} | {row['unit']} | {number(was)} | {number(now)} | {change} | "
                     f"{number(ratio(other)[1])} | {number(ratio(row)[1])} |")
    return "\n".join(lines)
