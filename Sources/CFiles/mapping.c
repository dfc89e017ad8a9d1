#define _GNU_SOURCE
#include "CFiles.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Notes are linked into a list that only grows, and are used again: a signal handler can go through them at any time.
struct files_mapping {
  struct files_mapping *next;
  atomic_bool is_taken;
  _Atomic(uintptr_t) start;
  // 0 while nothing is mapped.
  _Atomic(size_t) count;
  char path[1024];
};

static _Atomic(struct files_mapping *) first;

// A note that nobody has, now taken.
static struct files_mapping *free_note(void) {
  for (struct files_mapping *note = atomic_load(&first); note; note = note->next) {
    bool is_taken = false;
    if (atomic_compare_exchange_strong(&note->is_taken, &is_taken, true)) return note;
  }
  struct files_mapping *note = calloc(1, sizeof *note);
  if (!note) return NULL;
  atomic_store(&note->is_taken, true);
  note->next = atomic_load(&first);
  while (!atomic_compare_exchange_weak(&first, &note->next, note)) {}
  return note;
}

struct files_mapping *files_mapping_add(const void *start, size_t count, const char *path) {
  struct files_mapping *note = free_note();
  if (!note) return NULL;
  // The last page reaches beyond the file.
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  strncpy(note->path, path, sizeof note->path - 1);
  atomic_store(&note->start, (uintptr_t)start);
  atomic_store(&note->count, (count + page - 1) / page * page);
  return note;
}

void files_mapping_remove(struct files_mapping *note) {
  if (!note) return;
  atomic_store(&note->count, 0);
  atomic_store(&note->is_taken, false);
}

// Only what is allowed in a signal handler: write and _exit.
static void say(const char *text) {
  size_t left = strlen(text);
  while (left > 0) {
    const ssize_t written = write(STDERR_FILENO, text, left);
    if (written <= 0) return;
    text += written;
    left -= (size_t)written;
  }
}

// Several threads may come to the same page; one of them tells.
static atomic_flag is_told = ATOMIC_FLAG_INIT;

static void explain(int number, siginfo_t *info, void *context) {
  (void)context;
  const uintptr_t place = (uintptr_t)info->si_addr;
  for (struct files_mapping *note = atomic_load(&first); note; note = note->next) {
    const uintptr_t start = atomic_load(&note->start);
    if (place < start || place - start >= atomic_load(&note->count)) continue;
    while (atomic_flag_test_and_set(&is_told)) pause();
    say("Error: ");
    say(note->path);
    say(": it was cut off while it was read, or its disk fails; nothing that was being written is kept. Restore the file "
        "and run the same command again\n");
    _exit(1);
  }
  // Not ours: the instruction is run again, and ends the program as it would have.
  signal(number, SIG_DFL);
}

void files_explain_faults(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = explain;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
}
