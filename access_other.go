//go:build !unix

package nearlite

// mayMakeFiles reports whether this process may make files in a directory: not
// known here before it tries.
func mayMakeFiles(dir string) bool { return true }

// A descriptor is SQLite's own of the wal-index.
type descriptor struct{}

// openElsewhere reports whether another process has the database open: not known here.
func (*descriptor) openElsewhere(string) bool { return false }
