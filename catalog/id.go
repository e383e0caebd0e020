package catalog

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// ID names a database for good. The zero ID is none.
type ID [16]byte

// newID returns an ID nobody has.
func newID() (id ID) {
	rand.Read(id[:]) // never fails
	return id
}

// ParseID reads what ID.String wrote.
func ParseID(s string) (id ID, err error) {
	if len(s) != 2*len(id) {
		return ID{}, fmt.Errorf("%q is not the id of a database: it has %d hexadecimal digits", s, 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("%q is not the id of a database: %w", s, err)
	}
	return id, nil
}

// String returns 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether it is the ID of none.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText writes what String returns, and nothing for the zero ID.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) (err error) {
	if *id = (ID{}); len(text) > 0 {
		*id, err = ParseID(string(text))
	}
	return err
}
