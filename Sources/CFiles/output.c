#include "CFiles.h"

#include <errno.h>
#include <stdio.h>

int files_flush_standard_output(void) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
  return errno == 0 ? -1 : errno;
}
