// The rows of small numbers that the blocks of ggml's IQ types name by an index.
#pragma once
#include <stdint.h>

// Rows of 8 numbers of 2 bits.
extern const uint16_t laser_grid_iq2_xxs[256], laser_grid_iq2_xs[512], laser_grid_iq2_s[1024], laser_grid_iq1[2048];
// Rows of 4 numbers of 3 bits.
extern const uint16_t laser_grid_iq3_xxs[256], laser_grid_iq3_s[512];
