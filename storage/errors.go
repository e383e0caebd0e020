package storage

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
)

// Errors to match with errors.Is. A store returns them inside an [*Error].
var (
	// ErrNotExist is returned when there is no such object. It is
	// [fs.ErrNotExist] too.
	ErrNotExist error = sentinel{"there is no such object", fs.ErrNotExist}
	// ErrExist is returned by Create when there is an object of that key, which
	// this call has not stored. It is [fs.ErrExist] too.
	ErrExist error = sentinel{"there is an object of that key already", fs.ErrExist}
	// ErrConflict is returned by Replace when the object does not have the
	// version it should have, and when an object is replaced while it is read.
	ErrConflict = errors.New("the object is not the one it was: somebody replaced or deleted it")
	// ErrUnknown is returned by a write whose outcome could not be learnt: it may
	// have been done, may be done any moment, and may never be.
	ErrUnknown = errors.New("the outcome is unknown")
	// ErrUnavailable is returned for what was certainly not done and may be
	// possible later without anybody's help: no connection, an overloaded
	// service, a full disk.
	ErrUnavailable = errors.New("the storage is unavailable")
	// ErrRefused is returned for what was certainly not done and will not be until
	// somebody changes something: wrong credentials, no such bucket, a read-only
	// store, an endpoint without conditional writes.
	ErrRefused = errors.New("the storage refuses")
	// ErrRange is returned for a range that does not begin inside the object.
	ErrRange = errors.New("the range does not begin inside the object")
	// ErrContent is returned when the content to be stored could not be read, or
	// does not have the size or the SHA-256 that it should have. Nothing is stored.
	ErrContent = errors.New("the content is not what it should be")
	// ErrDamaged is returned when the bytes that were read do not have the
	// checksum with which the object was stored.
	ErrDamaged = errors.New("the object is damaged: its bytes do not have the checksum they were stored with")
	// ErrBadKey matches every [*KeyError]. It is [fs.ErrInvalid] too.
	ErrBadKey error = sentinel{"not a key for an object", fs.ErrInvalid}
	// ErrClosed is returned after Close. It is [fs.ErrClosed] too.
	ErrClosed error = sentinel{"the store is closed", fs.ErrClosed}
)

// Error is what went wrong with one object, or with the store.
type Error struct {
	Op     string // "create", "replace", "get", "stat", "list", "delete" or "open"
	Store  string // its URL
	Key    string // or prefix; empty: the store itself
	Kind   error  // one of this package's sentinels; nil: the context ended
	Err    error  // the cause; nil if the kind says it all
	Remedy string // what to do about it, if anything is known to help
}

// Error names the object, the store, the cause and the remedy.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Key != "" {
		b.WriteString(" " + quoteKey(e.Key) + " in")
	}
	b.WriteString(" " + e.Store + ": ")
	switch {
	case e.Err == nil:
		b.WriteString(e.Kind.Error())
	case e.Kind == nil || strings.Contains(e.Err.Error(), e.Kind.Error()): // do not say it twice
		b.WriteString(e.Err.Error())
	default:
		b.WriteString(e.Kind.Error() + ": " + e.Err.Error())
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	causes := make([]error, 0, 2)
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			causes = append(causes, err)
		}
	}
	return causes
}

// KeyError says why a key is none. It matches [ErrBadKey].
type KeyError struct {
	Key    string
	Reason string
}

// Error tells the reason.
func (e *KeyError) Error() string {
	return quoteKey(e.Key) + " is not a key for an object: " + e.Reason
}

// Is matches ErrBadKey, and what that matches.
func (e *KeyError) Is(target error) bool { return errors.Is(ErrBadKey, target) }

// sentinel is an error that is another one, too.
type sentinel struct {
	text string
	is   error
}

func (e sentinel) Error() string        { return e.text }
func (e sentinel) Is(target error) bool { return target == e.is }

// quoteKey keeps keys readable and terminals unharmed.
func quoteKey(key string) string {
	const most = 200
	if len(key) > most {
		return strconv.Quote(key[:most]) + "…"
	}
	if quoted := strconv.Quote(key); quoted != `"`+key+`"` || strings.ContainsRune(key, ' ') || key == "" {
		return quoted
	}
	return key
}
