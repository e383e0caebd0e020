package blob

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// Info is what a store knows of an object besides its content.
type Info struct {
	Name        string
	Size        int64     // bytes
	ModTime     time.Time // to the nanosecond
	ContentType string    // as it was given; "" if nobody said
	SHA256      [sha256.Size]byte
}

// PutOptions of a write; nil is the zero value.
type PutOptions struct {
	// ContentType is kept with the object, and served by [Store.Handler]; "" lets
	// that one guess from the name and the content.
	ContentType string
	// ModTime is kept with the object; the zero value is the present.
	ModTime time.Time
	// SHA256 of the content, if it is known. Put takes it on trust: computed
	// before the transaction it does not hold the writer up (a megabyte takes
	// about a millisecond). Create and Upload compare, and fail with
	// [ErrChecksum]. Zero means that it is computed.
	SHA256 [sha256.Size]byte
}

// info returns what is known of an object before its content is.
func (o *PutOptions) info(name string, now time.Time) (Info, error) {
	if o == nil {
		return Info{Name: name, ModTime: now.Round(0)}, nil
	}
	if o.ModTime.IsZero() {
		return Info{Name: name, ModTime: now.Round(0), ContentType: o.ContentType}, nil
	}
	if at := o.ModTime; !time.Unix(0, at.UnixNano()).Equal(at) {
		return Info{}, fmt.Errorf("the modification time %v cannot be kept: 64 bits of nanoseconds reach from 1678 to 2262", at)
	}
	return Info{Name: name, ModTime: o.ModTime.Round(0), ContentType: o.ContentType}, nil
}

// sum returns the SHA-256 that the caller has named, and whether he has.
func (o *PutOptions) sum() ([sha256.Size]byte, bool) {
	if o == nil || o.SHA256 == [sha256.Size]byte{} {
		return [sha256.Size]byte{}, false
	}
	return o.SHA256, true
}
