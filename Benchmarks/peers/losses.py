"""Checks that Meno and the peers computed the same: compares the losses of every step and of an evaluation."""
# Relative. bfloat16 has 8 bits, and a variant's own rounding moves the adapter that its next loss is computed with.
TOLERANCES = {"float32": 1e-4, "bfloat16": 1e-2}


def compared(variants):
    """For each peer that trained on the same batches: ours of its type, the largest relative difference, the tolerance, whether
    it holds. Where ours of that type was not measured, ours of the other is compared, by bfloat16's tolerance.
    """
    ours = {entry["products"]: (name, entry) for name, entry in variants.items()
            if entry["system"] == "meno" and entry["kind"] == "measured"}
    rows = []
    for name, entry in variants.items():
        if entry["kind"] != "measured" or entry["packing"] or not ours or entry is ours.get("float32", (0, 0))[1]:
            continue
        if entry["system"] == "meno":
            other, tolerance = ours.get("float32"), TOLERANCES[entry["products"]]
            if other is None:
                continue
        else:
            other = ours.get(entry["products"]) or next(iter(ours.values()))
            tolerance = TOLERANCES[entry["products"]] if entry["products"] in ours else TOLERANCES["bfloat16"]
        reference = other[1]["losses"]
        steps = sorted(entry["losses"], key=int)
        same = steps == sorted(reference, key=int)
        worst = max(abs(entry["losses"][step] - reference[step]) / abs(reference[step]) for step in steps) if same else float("inf")
        rows.append({"name": name, "ours": other[0], "losses": [entry["losses"][step] for step in steps],
                     "ours_losses": [reference[step] for step in sorted(reference, key=int)], "difference": worst,
                     "tolerance": tolerance, "holds": worst <= tolerance})
    return rows


def of_evaluations(evaluations):
    """The same for evaluations of as many dialogues as ours. Without metrics Trainer tells a mean of means: another loss."""
    measured = {name: entry for name, entry in evaluations.items() if entry["kind"] == "measured"}
    rows = []
    for name, entry in measured.items():
        products = "float32" if "float32" in name else "bfloat16"
        same = f"meno-{products}" in measured
        ours = f"meno-{products}" if same else next((each for each in measured if each.startswith("meno")), None)
        if name.startswith("meno") or "loss only" in name or ours is None or entry["samples"] != measured[ours]["samples"]:
            continue
        mine, tolerance = measured[ours]["loss"], TOLERANCES[products if same else "bfloat16"]
        difference = abs(entry["loss"] - mine) / abs(mine)
        rows.append({"name": f"evaluation, {name}", "ours": ours, "losses": [entry["loss"]], "ours_losses": [mine],
                     "difference": difference, "tolerance": tolerance, "holds": difference <= tolerance})
    return rows
