package catalog

import (
	"errors"
	"fmt"
)

// Errors to match with errors.Is. They come wrapped with the name they are about.
var (
	// ErrNotFound is returned for a name or an id that no database has.
	ErrNotFound = errors.New("there is no such database: create it first, or look for its name in the list")
	// ErrExists is returned when a name is wanted that a database has.
	ErrExists = errors.New("there is a database of that name: choose another, or delete or rename that one first")
	// ErrName is returned for a name that no database can have.
	ErrName = errors.New("not a name for a database")
	// ErrMain is returned when the database main would no longer be there.
	ErrMain = errors.New("the database main is always there: fork it instead of renaming it, and empty it instead of deleting it")
	// ErrDeleted is what [Handle.Err] returns when the database was deleted.
	ErrDeleted = errors.New("the database was deleted")
	// ErrConfig is returned for a [Config] that makes no sense.
	ErrConfig = errors.New("not a configuration for a database")
	// ErrTooManyOpen is returned when MaxOpen databases are in use for as long as the
	// caller's context lasted.
	ErrTooManyOpen = errors.New("too many databases are in use at a time: raise MaxOpen, or try again")
	// ErrArchived is returned by [Open] without an archive for a directory that has
	// one: what was written without it could not be archived later.
	ErrArchived = errors.New("the databases are archived, and no archive was named")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the catalog is closed")
	// ErrLocked matches every [*LockedError].
	ErrLocked = errors.New("another process has the directory")
)

// LockedError is returned by [Open] when another process has the directory. It
// matches [ErrLocked].
type LockedError struct {
	Dir string
	PID int // of the other process; 0 if it did not say
}

// Error names the directory, the holder and the remedy.
func (e *LockedError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("open %s: %s has its databases open: end it first, or ask it over HTTP", e.Dir, who)
}

// Is matches ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// about says which database an error is about.
func about(verb, name string, err error) error {
	return fmt.Errorf("%s database %q: %w", verb, name, err)
}
