// Package file keeps objects in a directory of a local disk: the object "a/b" is
// the file a/b below it, with the object's bytes and nothing else, so that any
// tool can read and copy them.
//
// # How an object appears
//
// Its bytes are written to a temporary file in .nearlite/tmp and synced. Then the
// file gets its name, by a rename that does not replace (renameat2 with
// RENAME_NOREPLACE) where the system has it, else by link(2); both fail when the
// name is taken, whoever took it. Then the directory is synced, and those above it
// that this store has not synced before. A power cut leaves all of it or nothing.
//
// A reader may see an object some microseconds before its directory is synced. But
// whoever is told that it exists has been told the truth for good: before Create
// returns ErrExist, it syncs the directory for the writer that may have died.
//
// # How an object is replaced
//
// A version is the file's modification time in nanoseconds, its size and its
// inode. Every writer gives its file a modification time of its own that is greater
// than the one of the file it replaces, however coarse the disk's clock is, so that
// no version comes back. Comparing and renaming happens under a lock of flock(2)
// that stands for the key, in .nearlite, which dies with its process. Delete takes
// it, too.
//
// # Several processes
//
// Any number may use the same directory at the same time, on one machine. On a
// network file system that is as good as its locks, its renames and its caches
// are; do not build on it.
//
// # What a killed process leaves
//
// Temporary files. Every store locks a file of its own in .nearlite/tmp as long as
// it is open. The next Open removes the files of those whose lock is free, and any
// file there without an owner after a day. Directories stay when their last object
// is deleted.
package file
