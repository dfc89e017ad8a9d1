// What files need of the system that Swift does not have: names exchanged at once, the state of a stream, and faults in
// mapped files.
#ifndef CFILES_H
#define CFILES_H

#include <stddef.h>

// Gives each of two files or folders the other's name, at once. Returns 0, or errno. renameat2, RENAME_EXCHANGE
int files_exchange(const char *_Nonnull a, const char *_Nonnull b);

// Writes what standard output has kept back. Returns 0, or what errno says of this or an earlier failure; -1 where that is
// not known any more.
int files_flush_standard_output(void);

// A part of memory that a file is mapped to.
struct files_mapping;

// Notes that a file is mapped, so that a fault there can name it. NULL where there is no memory for the note.
struct files_mapping *_Nullable files_mapping_add(
    const void *_Nonnull start, size_t count, const char *_Nonnull path);

// Notes that it no longer is.
void files_mapping_remove(struct files_mapping *_Nullable mapping);

// From now on, a page of a mapped file that cannot be read (the file was cut off, or its disk failed) ends the program
// with status 1 and one line on standard error that names the file. Other faults end it as before (SIGBUS).
void files_explain_faults(void);

#endif
