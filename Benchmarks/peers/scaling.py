"""How cost grows with length, batch and model size, compared with a peer's variant of the same type: a few steps per cell.

Along the axis of sizes ours is also measured on weights in four bits.
"""
import copy

import losses
from session import Session, say
from variants import BY_NAME

LENGTHS = (64, 256, 1024, 2048, 4096)
BATCHES = (1, 4, 16, 64)
SIZES = {"gemma": ("gemma-270m", "gemma-1b", "gemma-2b"), "llama": ("llama-135m", "llama-360m", "llama-1b", "llama-2b", "llama-3b")}
PACKED = "meno-nf4"


def cells(family, quick):
    """(axis, shape, length, examples a step). Along the axis of sizes and that of lengths a step has about as many tokens."""
    small = SIZES[family][0]
    if quick:
        return [("length", small, 64, 2), ("batch", small, 64, 4), ("size", SIZES[family][1], 64, 2)]
    return ([("length", small, length, max(1, 4096 // length)) for length in LENGTHS]
            + [("batch", small, 256, batch) for batch in BATCHES]
            + [("size", shape, 256, 4) for shape in SIZES[family]])


def chosen(options, family):
    """The cells of the axes that are measured."""
    return [cell for cell in cells(family, options.quick)
            if cell[0] in options.axes and (not options.shapes or cell[1] in options.shapes)]


def measured(options, python, gguf, family, peer):
    """The cells as records, one after another. Ours and the peer's in turn in each cell."""
    ours = f"meno-{BY_NAME[peer].products}"
    for axis, shape, length, batch in chosen(options, family):
        say(f"scaling: {axis}, {shape}, {batch} examples of {length} tokens")
        options = copy.copy(options)
        options.length, options.batch, options.steps = length, batch, 3
        session = Session(options, python, gguf, options.scratch / "scaling", options.scratch / "models" / shape, shape=shape,
                          evaluation=0)
        variants = [ours, PACKED, peer] if axis == "size" else [ours, peer]
        for _ in range(options.rounds):
            session.measure_peak()
            for name in variants:
                session.train(name)
        result = session.result()
        entries = result["variants"]
        packed = entries.pop(PACKED, None)
        yield {"axis": axis, "shape": shape, "length": length, "batch": batch,
               "parameters": session.workload["parameters"], "ours": entries[ours], "packed": packed, "peer": entries[peer],
               "peak": result["peaks"][entries[ours]["products"]]["gflops"], "checks": losses.compared(entries)}
