"""Times torch.linalg.svd of a random matrix, for bench.py: python torch_svd.py ROWS COLUMNS [float32|float64] [cpu|cuda]

On a GPU the second of two runs counts: the first one loads the library.
"""
import json, os, sys, time
import torch

rows, columns = int(sys.argv[1]), int(sys.argv[2])
dtype = getattr(torch, sys.argv[3] if len(sys.argv) > 3 else "float64")
device = sys.argv[4] if len(sys.argv) > 4 else "cpu"
torch.set_num_threads(os.cpu_count())
matrix = (torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)) * 0.02).to(torch.bfloat16).to(device, dtype)
for _ in range(1 if device == "cpu" else 2):
    start, used = time.perf_counter(), time.process_time()
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    s.cpu()
    if device != "cpu":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "processor": time.process_time() - used}))
