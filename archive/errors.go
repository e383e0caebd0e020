package archive

import "errors"

// Errors to match with errors.Is; those of package storage come through as well,
// among them storage.ErrDamaged for objects whose bytes are not what they were.
var (
	// ErrIncomplete is returned when objects are missing that were needed.
	ErrIncomplete = errors.New("the archive is incomplete")
	// ErrEmpty is returned when there is nothing to restore.
	ErrEmpty = errors.New("the archive is empty")
	// ErrRange matches every [*RangeError].
	ErrRange = errors.New("the archive does not go there")
	// ErrSum is returned when a database that was put together is not the one that
	// was archived, though each object was as it had been written.
	ErrSum = errors.New("the database does not have the sum that its last entry says")

	errClosed = errors.New("the archive is closed")
)
