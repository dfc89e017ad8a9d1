"""Writes the tables of ggml's IQ types, from gguf 0.19: python make_grids.py > Sources/CKernels/grids.c"""
import numpy as np
from gguf import quants
rows=[('IQ2_XXS','iq2_xxs',2),('IQ2_XS','iq2_xs',2),('IQ2_S','iq2_s',2),('IQ3_XXS','iq3_xxs',3),('IQ3_S','iq3_s',3),('IQ1_S','iq1',2)]
print('''// The tables of ggml's IQ types (ggml-common.h), as numbers of 2 or 3 bits: of a row's numbers the first in the lowest
// bits. What the numbers stand for is said in blocks_iq.c.
#include "grids.h"
''')
for cls,name,bits in rows:
    c=getattr(quants,cls); c.init_grid()
    g=np.array(c.grid).reshape(c.grid_shape)
    m=[int(x) for x in c.grid_map]
    vals=[sum(m.index(int(v))<<(bits*i) for i,v in enumerate(r)) for r in g]
    print(f'const uint16_t laser_grid_{name}[{len(vals)}] = {{')
    for i in range(0,len(vals),13): print('    '+' '.join(f'0x{v:04X},' for v in vals[i:i+13]))
    print('};' if name == 'iq1' else '};\n')
