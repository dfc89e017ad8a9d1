"""Times torch.linalg.svd of a random matrix, for bench.py: python torch_svd.py ROWS COLUMNS [float32|float64]"""
import json, os, sys, time
import torch

rows, columns = int(sys.argv[1]), int(sys.argv[2])
dtype = getattr(torch, sys.argv[3] if len(sys.argv) > 3 else "float64")
torch.set_num_threads(os.cpu_count())
matrix = (torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)) * 0.02).to(torch.bfloat16).to(dtype)
start, used = time.perf_counter(), time.process_time()
u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
print(json.dumps({"seconds": time.perf_counter() - start, "processor": time.process_time() - used}))
