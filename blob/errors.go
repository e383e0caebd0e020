package blob

import (
	"errors"
	"io/fs"
	"strconv"
)

// Errors to match with errors.Is. Those about one object are an [*Error].
var (
	// ErrNotExist is returned when there is no object of that name. It is
	// [fs.ErrNotExist] too.
	ErrNotExist error = sentinel{"there is no such object", fs.ErrNotExist}
	// ErrBadName matches every [*NameError]. It is [fs.ErrInvalid] too.
	ErrBadName error = sentinel{"not a name for an object", fs.ErrInvalid}
	// ErrGone is returned by a file of [Store.FS] when its object was deleted or
	// replaced so long ago that its content is no longer there.
	ErrGone = errors.New("the object was deleted or replaced while it was being read")
	// ErrAbandoned is returned by an upload that had made no progress for so long
	// that [Store.Sweep] took it for dead.
	ErrAbandoned = errors.New("the upload made no progress for so long that it was swept away: begin again")
	// ErrChecksum is returned by a stream whose content does not have the SHA-256
	// that PutOptions name. Nothing of it is kept.
	ErrChecksum = errors.New("the content does not have the SHA-256 it should have")
	// ErrTooLarge is returned when an object would have more rows than a key can count.
	ErrTooLarge = errors.New("an object has at most 2^24 rows")
	// ErrDamaged is returned when the content is not as long as the table of
	// names says: somebody has changed the tables by other means.
	ErrDamaged = errors.New("the content is not as long as it should be: the tables were changed by other means")
)

// Error is what went wrong with one object.
type Error struct {
	Op   string // what was done: "get", "put", …
	Name string // of the object
	Err  error
}

// Error names the object, in quotes if its name could be mistaken for something else.
func (e *Error) Error() string { return e.Op + " " + quoteName(e.Name) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// failed names the object an error is about.
func failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Name: name, Err: err}
}

// NameError says why a name is none. It matches [ErrBadName].
type NameError struct {
	Name   string
	Reason string
}

// Error tells the reason.
func (e *NameError) Error() string { return "not a name for an object: " + e.Reason }

// Is matches ErrBadName, and what that matches.
func (e *NameError) Is(target error) bool { return errors.Is(ErrBadName, target) }

// sentinel is an error that is another one, too.
type sentinel struct {
	text string
	is   error
}

func (e sentinel) Error() string        { return e.text }
func (e sentinel) Is(target error) bool { return target == e.is }

// quoteName keeps names readable and terminals unharmed.
func quoteName(name string) string {
	const most = 100
	quoted := strconv.Quote(name)
	if len(name) > most {
		return strconv.Quote(name[:most]) + "…"
	}
	if quoted == `"`+name+`"` && name != "" {
		return name
	}
	return quoted
}
