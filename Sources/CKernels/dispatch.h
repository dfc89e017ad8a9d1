// One plain loop, several instruction sets: the compiler makes a copy for each and the loader picks one.
#pragma once
#if defined(__x86_64__) && defined(__linux__)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DISPATCHED
#endif
// Lets the compiler sum in vector lanes: the order of additions is then fixed by the instruction set.
#define REASSOCIATE _Pragma("clang fp reassociate(on)")
