"""The tables of ./x bench, and the comparison of two runs."""
import re
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


def aligned(lines, left=2):
    """Lines of cells as Markdown, the first one as heading; the first `left` columns are texts."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = []
    for index, line in enumerate(lines):
        text.append("| " + " | ".join(cell.ljust(width) if column < left else cell.rjust(width)
                                      for column, (cell, width) in enumerate(zip(line, widths))) + " |")
        if index == 0:
            text.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def table(result):
    """Markdown. Columns are the servers; a cell is the best round; the ratio is a median over the rounds."""
    rows = result["rows"]
    names = [name for name in result["servers"] if any(values(row, name) for row in rows)]
    shown = {"nginx-nopush-off": "nginx nopush off", "docker-registry": "docker-registry 2"}
    lines = [["row", "unit", *(shown.get(name, name) for name in names), "ratio", "goal", ""]]
    lines += [line_of(row, names) for row in rows if any(values(row, name) for name in names)]
    return aligned(lines)


# Figures of a run besides its value: key, whether more is better.
THROUGHPUT, SMALL_THROUGHPUT, MEDIAN, TAIL, MEMORY = "mib_per_second", "per_second", "p50_ms", "p99_ms", "rss_peak_kib"


def figures(row, server, key):
    return {entry["round"]: entry[key] for entry in row["results"].get(server, []) if entry.get(key)}


def beside(row, key, reference, best):
    """Our best figure, and the median over the rounds of ours against the reference of the same round."""
    ours, theirs = figures(row, our_name(row), key), figures(row, reference, key)
    ratios = [ours[number] / theirs[number] for number in ours if number in theirs]
    return [number(best(ours.values(), default=None)), number(statistics.median(ratios)) if ratios else ""]


def wide_table(result):
    """Throughput, latency and memory of ours, and their ratios to the reference of the row. Of throughput more is better."""
    lines = [["row", "reference", "throughput", "ratio", "p50 ms", "ratio", "p99 ms", "ratio", "peak MiB", "reference MiB"]]
    for row in result["rows"]:
        if our_name(row) is None or not figures(row, our_name(row), SMALL_THROUGHPUT):
            continue
        reference = ratio(row)[0] or ""
        of_bytes = "MiB" in row["unit"] and bool(figures(row, our_name(row), THROUGHPUT))
        throughput = beside(row, THROUGHPUT if of_bytes else SMALL_THROUGHPUT, reference, max)
        throughput[0] += " MiB/s" if of_bytes else " /s"
        memory = [max(figures(row, name, MEMORY).values(), default=None) for name in (our_name(row), reference)]
        lines.append([row["name"], reference, *throughput, *beside(row, MEDIAN, reference, min), *beside(row, TAIL, reference, min),
                      *(number(kib / 1024) if kib else "–" for kib in memory)])
    return aligned(lines) if len(lines) > 1 else ""


def failures(result):
    """(row, server, why) of everything that has no figure."""
    return [(row["name"], server, entry["error"]) for row in result["rows"]
            for server, entries in row["results"].items() for entry in entries if "error" in entry]


def change(was, now):
    return f"{(now / was - 1) * 100:+.0f} %" if was and now is not None else "–"


def compare(old, new):
    """Our value and our ratio, before and after. Rows and figures that only one of the runs has are named."""
    before = {row["name"]: row for row in old.get("rows", [])}
    lines = [["row", "unit", "before", "now", "change", "ratio before", "ratio now"]]
    missing = only_before(before, [row["name"] for row in new["rows"]], new)
    for row in new["rows"]:
        name = our_name(row)
        if name is None:
            continue
        other = before.get(row["name"], {"results": {}, "reference": []})
        was, now = (min(values(one, name), default=None) for one in (other, row))
        if was is not None or now is not None:
            lines.append([row["name"], row["unit"], number(was), number(now), change(was, now),
                          number(ratio(other)[1]), number(ratio(row)[1])])
    text = aligned(lines) if len(lines) > 1 else "No row of ours to compare."
    return "\n".join([*unlike(old, new), text, *missing])


def only_before(before, now, new):
    """A line about the names that are missing now although this run was to have them."""
    missing = [name for name in before if name not in now and re.search(new.get("only", ""), name)]
    return [f"Only in the older run: {', '.join(missing)}"] if missing else []


def unlike(old, new):
    """What keeps two runs from being comparable, in words."""
    reasons = []
    for name in ("cpu", "cores", "memory_gib", "kernel", "file_system", "sha_ni"):
        was, now = old.get("machine", {}).get(name), new.get("machine", {}).get(name)
        if was != now:
            reasons.append(f"{name}: {was} before, {now} now")
    if old.get("quick") or new.get("quick"):
        reasons.append("a run with --quick has no figures")
    for name, version in new.get("versions", {}).items():
        was = old.get("versions", {}).get(name, version)
        if was != version and name not in OURS:
            reasons.append(f"{name}: {was} before, {version} now")
    return [f"Not the same conditions: {reason}" for reason in reasons]


def micro_table(result):
    lines = [["benchmark", "module", "CPU", "wall", "per second"]]
    for entry in result["micro"]:
        rate = entry.get("bytes_per_second")
        lines.append([entry["name"], entry["program"], duration(entry["cpu_ns"]), duration(entry["wall_ns"]),
                      f"{rate / (1 << 20):,.0f} MiB" if rate else f"{entry.get('items_per_second', 1e9 / entry['cpu_ns']):,.0f}"])
    return aligned(lines)


def micro_compare(old, new):
    before = {entry["name"]: entry["cpu_ns"] for entry in old.get("micro", [])}
    lines = [["benchmark", "module", "before", "now", "change"]]
    for entry in new["micro"]:
        was = before.get(entry["name"])
        lines.append([entry["name"], entry["program"], duration(was), duration(entry["cpu_ns"]), change(was, entry["cpu_ns"])])
    missing = only_before(before, [entry["name"] for entry in new["micro"]], new)
    return "\n".join([*unlike(old, new), aligned(lines), *missing])


def duration(nanoseconds):
    if nanoseconds is None:
        return "–"
    for unit, size in (("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{number(nanoseconds / size)} {unit}"
    return f"{number(nanoseconds)} ns"
