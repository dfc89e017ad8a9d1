#include "CProcesses.h"

#ifdef LASER_MPI

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

// MPI counts in int.
static const size_t largest = 1 << 30;

void processes_join(int *rank, int *count) {
  int provided;
  MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, count);
}

void processes_leave(void) { MPI_Finalize(); }

void processes_abort(int status) {
  MPI_Abort(MPI_COMM_WORLD, status);
  _Exit(status);
}

void processes_broadcast(void *bytes, size_t count, int from) {
  for (size_t done = 0; done < count; done += largest) {
    const size_t left = count - done;
    MPI_Bcast((char *)bytes + done, (int)(left < largest ? left : largest), MPI_BYTE, from, MPI_COMM_WORLD);
  }
}

void processes_gather(const void *own, void *all, const size_t *counts, int processes) {
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  size_t total = 0;
  for (int process = 0; process < processes; process++) total += counts[process];
  if (total > largest) {
    char *place = all;
    for (int process = 0; process < processes; process++) {
      if (process == rank && counts[process] > 0) memcpy(place, own, counts[process]);
      processes_broadcast(place, counts[process], process);
      place += counts[process];
    }
    return;
  }
  int *lengths = malloc(2 * (size_t)processes * sizeof(int));
  if (lengths == NULL) processes_abort(1);
  int *places = lengths + processes;
  for (int process = 0, place = 0; process < processes; process++) {
    lengths[process] = (int)counts[process];
    places[process] = place;
    place += lengths[process];
  }
  MPI_Allgatherv(own, lengths[rank], MPI_BYTE, all, lengths, places, MPI_BYTE, MPI_COMM_WORLD);
  free(lengths);
}

#endif
