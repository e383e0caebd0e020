package storage

import (
	"context"
	"io"
	"iter"
	"time"
)

// A Store holds objects. Its methods may be called by any number of goroutines.
//
// Every error that is about the store is an [*Error] and matches one of this
// package's sentinels; the error of a context that ended is in it, too. The same
// URL opened twice, here or elsewhere, is the same set of objects.
type Store interface {
	// Create stores content under a key that has no object. It is
	//
	//	nil             stored, by this call
	//	ErrExist        certainly not stored: there is an object, durable by now
	//	ErrUnknown      perhaps; Create it again, with the same content, to learn it
	//	anything else   certainly not stored
	//
	// The bytes of content may be changed again as soon as Create has returned.
	Create(ctx context.Context, key string, content Content) (Info, error)

	// Replace stores content in place of the object whose version is old: it
	// compares and swaps. It is
	//
	//	nil             stored, by this call; the Info has the new version
	//	ErrConflict     certainly not: the object has another version, or is gone
	//	ErrUnknown      perhaps; read the object to learn it
	//	anything else   certainly not
	//
	// An S3 version follows from the content alone, so that an object that gets
	// back an earlier content is taken for unchanged: count something in it.
	Replace(ctx context.Context, key string, content Content, old Version) (Info, error)

	// Get reads an object or a part of it; the zero Range is all of it. The Info
	// describes the whole object. Reading goes on where it stopped when a
	// connection breaks. An object read from its beginning to its end is checked
	// against its checksum, if the store has one, and the last Read is ErrDamaged
	// if it differs. Without an object it is ErrNotExist, and ErrConflict from a
	// Read when the object was replaced meanwhile and the rest cannot be had.
	Get(ctx context.Context, key string, part Range) (io.ReadCloser, Info, error)

	// Stat describes an object, or is ErrNotExist.
	Stat(ctx context.Context, key string) (Info, error)

	// List yields the objects whose keys begin with prefix and are greater than
	// after, in the order of their keys' bytes. The prefix may end anywhere in a
	// key, and may be empty, as after may. It asks for them page by page as the
	// loop goes on; an object created or deleted meanwhile may be in it or not.
	// An error is the last it yields.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Delete removes objects, and is content if there are none. An error names
	// those keys that may still be there; Delete them again.
	Delete(ctx context.Context, keys ...string) error

	// String is the store's URL, without secrets.
	String() string

	// Close gives back what the store holds. Calls after it are ErrClosed.
	Close() error
}

// A Version stands for what one key holds. It is compared, never ordered, and
// means something in the store it came from only.
type Version string

// Info describes an object.
type Info struct {
	Key     string
	Size    int64
	Version Version
	Time    time.Time // when it was stored, by the store's clock

	// SHA256 of the content if the store knows it without reading the object,
	// else nil. List leaves it out.
	SHA256 []byte
}

// A Range is a part of an object. The zero value is all of it, an empty object
// included; any other has to begin inside the object, or is ErrRange. It is cut
// at the object's end.
type Range struct {
	// Offset of the first byte. A negative one counts from the end: -16 are the
	// last sixteen bytes, or all of an object that has fewer.
	Offset int64
	// Length in bytes, zero for all that follows the offset.
	Length int64
}

// All is the range that is the whole object.
var All Range

// In returns the first byte of a range of an object and the byte after its last,
// or ErrRange.
func (r Range) In(size int64) (from, to int64, err error) {
	from, to = r.Offset, size
	if r == All {
		return 0, size, nil
	}
	if from < 0 {
		from = max(0, size+from)
	}
	if from >= size || r.Length < 0 {
		return 0, 0, ErrRange
	}
	if r.Length > 0 && r.Length < size-from {
		to = from + r.Length
	}
	return from, to, nil
}
