"""The matrix-product peak of this machine by torch: python peak.py SIZE SECONDS; a line of JSON for each type."""
import json
import statistics
import sys
import time

import torch


def rate(dtype, size, bound):
    """GFLOP/s of square products: the median of those that `bound` seconds allow, at least one after a warm-up, at most 15."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    seconds = []
    begin = time.perf_counter()
    while len(seconds) < 16 and (len(seconds) < 2 or time.perf_counter() - begin < bound):
        start = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - start)
    return 2 * size ** 3 / statistics.median(seconds[1:]) / 1e9


size, bound = int(sys.argv[1]), float(sys.argv[2])
for name in ("float32", "bfloat16"):
    dtype = getattr(torch, name)
    # Where a type is computed without instructions for it, a product of this size would take minutes: a smaller one tells it.
    small = rate(dtype, 256, 0.1)
    used = size if 2 * size ** 3 / small / 1e9 < 10 else 512
    print(json.dumps({"dtype": name, "size": used, "gflops": rate(dtype, used, bound)}), flush=True)
