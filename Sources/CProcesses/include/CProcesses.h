#pragma once

#include <stddef.h>
#include <stdint.h>

// What processes that were started together say to each other, by MPI, whose handles are macros that Swift does not see.
// Errors end all processes: that is MPI's default, and nobody could go on alone.

/// Joins the other processes; to be called once, from the thread that makes all calls.
void processes_join(int *rank, int *count);

/// Leaves them, after the last call of all.
void processes_leave(void);

/// Ends all processes at once.
_Noreturn void processes_abort(int status);

/// Bytes of one process, which all others receive.
void processes_broadcast(void *bytes, size_t count, int from);

/// The bytes of all processes, back to back in the order of their ranks, in every process.
///
/// - counts: How many bytes each process has.
void processes_gather(const void *own, void *all, const size_t *counts, int processes);
