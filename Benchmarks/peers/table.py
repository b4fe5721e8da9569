"""The results as Markdown, for the output of `run` and for Benchmarks/RESULTS.md."""
from variants import SEED, SEED_FLOAT32


def number(value, digits=2):
    return "" if value is None else f"{value:,.{digits}f}"


def rows(header, body):
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return lines + ["| " + " | ".join(cells) + " |" for cells in body]


def usable(entry):
    return entry["kind"] in ("measured", "extrapolated")


def whole_peak(entry):
    """Peak memory of a complete step: a peer's micro-batch reaches the peak of its step, two examples of Meno do not."""
    return None if entry["kind"] == "extrapolated" and entry["system"] == "meno" else entry["peak"]


def fastest(variants, ours):
    """The name of Meno's fastest variant, or of the peers'. Extrapolated times count only if no complete step was measured."""
    for kinds in (("measured",), ("extrapolated",)):
        names = [name for name, entry in variants.items() if entry["kind"] in kinds and (entry["system"] == "meno") == ours]
        if names:
            return max(names, key=lambda name: variants[name]["tokens_per_second"])


def machine_text(machine):
    return (f"{machine['date']}; {machine['processor']}, cores used: {machine['cores']}, threads: {machine['threads']}, "
            f"{machine['memory']:.0f} GiB; {machine['instructions']}; torch {machine['torch']}")


def peaks_text(peaks):
    return "Matrix products reach " + ", ".join(
        f"{each['gflops']:.1f} GFLOP/s in {name} ({each['size']}³)" for name, each in peaks.items()) + "."


def training(result):
    variants, peaks = result["variants"], result["peaks"]
    best = fastest(variants, ours=True)
    mine = variants.get(best)
    body = []
    for name, entry in variants.items():
        if not usable(entry):
            over = entry["kind"] == "over"
            what = f"> {entry['bound']:.0f} s for a micro-batch" if over else f"{entry['kind']}: {entry['why']}"
            body.append([name, what, "", "", number(entry["peak"], 0), "", "", ""])
            continue
        share = entry["useful_gflops"] / peaks[entry["products"]]["gflops"]
        times = "" if mine is None else f"{mine['tokens_per_second'] / entry['tokens_per_second']:.2f}"
        peak = whole_peak(entry)
        memory = "" if mine is None or not peak or not whole_peak(mine) else f"{whole_peak(mine) / peak:.2f}"
        extrapolated = entry["kind"] == "extrapolated"
        body.append([
            name + (" (packed: other batches)" if entry["packing"] else ""),
            number(entry["step"]) + (" †" if extrapolated else ""),
            number(entry["tokens_per_second"], 1), times, number(peak, 0), memory, number(entry.get("start_up"), 1),
            f"{100 * share:.0f} % of {entry['products']}"])
    lines = rows(["", "s a step", "tokens/s", f"{best or 'ours'} is faster by", "peak MiB", "memory, ours : its", "start-up s",
                  "share of the product peak"], body)
    if any(entry["kind"] == "extrapolated" for entry in variants.values()):
        lines += ["", "† extrapolated from one micro-batch: a whole step would be longer than the bound."]
    return lines


def ratios(result):
    """The targets' ratios in words."""
    variants = result["variants"]
    best, peer = fastest(variants, ours=True), fastest(variants, ours=False)
    if not best:
        return []
    mine, lines = variants[best], []
    for label, name in (("the seed's configuration", SEED), ("the seed's configuration in float32", SEED_FLOAT32),
                        ("the fastest peer variant", peer)):
        entry = variants.get(name)
        if entry is None:
            continue
        if entry["kind"] == "over":
            least = entry["bound"] * entry["parts"]
            lines.append(f"- {label} ({name}): not one micro-batch of {entry['parts']} a step ended in {entry['bound']:.0f} s; "
                         f"{best} is more than about {least / mine['step']:.0f} times as fast")
            continue
        if not usable(entry):
            lines.append(f"- {label} ({name}): {entry['kind']}, {entry['why']}")
            continue
        memory = f", with {mine['peak'] / entry['peak']:.2f} of its peak memory" if whole_peak(mine) and whole_peak(entry) else ""
        lines.append(f"- {label} ({name}{', extrapolated' if entry['kind'] == 'extrapolated' else ''}): {best} is "
                     f"{mine['tokens_per_second'] / entry['tokens_per_second']:.2f} times as fast{memory}")
    return lines


def evaluation(result):
    body = []
    count = len(result["workload"]["evaluation_lengths"])
    for name, entry in result["evaluations"].items():
        if entry["kind"] == "over":
            body.append([name, str(count), f"> {entry['bound']:.0f}", "", "", ""])
        elif not usable(entry):
            body.append([name, "", f"{entry['kind']}: {entry['why']}", "", "", ""])
        else:
            mark = " †" if entry["kind"] == "extrapolated" else ""
            body.append([name, str(entry["samples"]), number(entry["seconds"], 1) + mark,
                         number(entry["seconds"] / entry["samples"] * count, 1), number(entry.get("above"), 0),
                         number(entry.get("loss"), 4)])
    return rows(["", "dialogues", "s", f"s for {count}, in proportion", "MiB above the process's own", "loss"], body)


def checks(result):
    spelt = lambda losses: " ".join(f"{loss:.6f}" for loss in losses)
    body = [[row["name"], row["ours"], spelt(row["losses"]), spelt(row["ours_losses"]), f"{row['difference']:.1e}",
             f"{row['tolerance']:g}", "yes" if row["holds"] else "**NO**"] for row in result["checks"]]
    if not body:
        return ["No losses are compared: nothing was measured whole on the same batches on both sides, or dropout makes them differ."]
    return rows(["", "beside", "its losses", "losses there", "largest relative difference", "tolerance", "holds"], body)


def rate(entry):
    if usable(entry):
        return number(entry["tokens_per_second"], 1) + (" †" if entry["kind"] == "extrapolated" else "")
    return f"> {entry['bound']:.0f} s" if entry["kind"] == "over" else f"{entry['kind']}: {entry['why']}"


def share(entry, peak):
    return f"{100 * entry['useful_gflops'] / peak:.0f} %" if entry and usable(entry) else ""


def scaling(result):
    body = []
    for cell in result["scaling"]:
        mine, packed, peer = cell["ours"], cell["packed"], cell["peer"]
        both = usable(mine) and usable(peer)
        body.append([
            f"{cell['axis']}: {cell['shape']}, {cell['parameters'] / 1e6:,.0f} M", str(cell["length"]), str(cell["batch"]), rate(mine),
            rate(packed) if packed else "", rate(peer),
            f"{mine['tokens_per_second'] / peer['tokens_per_second']:.2f}" if both else "",
            *[share(entry, cell["peak"]) for entry in (mine, packed, peer)],
            *[number(whole_peak(entry), 0) if entry else "" for entry in (mine, packed, peer)],
            " ".join(f"{row['difference']:.1e}" for row in cell["checks"])])
    theirs = result["scaling_peer"]
    return rows(["", "length", "examples a step", "ours, tokens/s", "ours in four bits", f"{theirs}, tokens/s", "ours : its",
                 "share of the product peak: ours", "four bits", "its", "ours, MiB", "four bits", "its", "losses apart"], body)


def text(result):
    """All of a run's tables, under headings."""
    work = result.get("workload")
    what = f"{work['batch']} examples of at most {work['length']} tokens a step" if work else "random weights in the shapes of its family"
    lines = [f"## {result['model']}, {what}", "",
             machine_text(result["machine"]) + ".", ""]
    if result.get("peaks"):
        lines += [peaks_text(result["peaks"]), ""]
    if result.get("variants"):
        rounds = f"{result['rounds']}{' (interrupted)' if result.get('interrupted') else ''}"
        lines += [f"Medians; rounds in turn: {rounds}, optimizer steps of each: {work['steps']}, the first of them warm-up. "
                  "Tokens are real ones; padding does not count.", "", *training(result), "", *ratios(result), ""]
    if result.get("evaluations"):
        lines += ["### Evaluation", "", *evaluation(result), ""]
    if result.get("variants"):
        lines += ["### The same losses", "", *checks(result), ""]
    if result.get("scaling"):
        lines += ["### How cost grows", "", *scaling(result), ""]
    return "\n".join(lines)
