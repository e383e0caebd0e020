package sqlite

// #include <stdlib.h>
// #ifdef __GLIBC__
// #include <malloc.h>
// static int trim(void) { return malloc_trim(0); }
// #else
// static int trim(void) { return 0; }
// #endif
import "C"

// TrimHeap gives memory that closed connections have freed back to the operating
// system, and reports whether there was any. The C library keeps it by itself, in a
// pool for each of several threads, which adds up when hundreds of databases are
// opened and closed. It takes a few milliseconds; only glibc has it.
func TrimHeap() bool { return C.trim() != 0 }
