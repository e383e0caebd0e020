package blob

import (
	"errors"
	"slices"

	"github.com/nearlite/nearlite"
)

// Get returns the content of an object, in memory of the caller's. q is a
// *nearlite.ReadTx or a *nearlite.WriteTx.
func (s *Store) Get(q nearlite.Querier, name string) ([]byte, error) {
	content, err := s.Append(q, nil, name)
	if content == nil && err == nil {
		content = []byte{}
	}
	return content, err
}

// growMax is how much memory is taken on the word of the table of names alone.
const growMax = 64 << 20

// Append appends the content of an object to dst and returns the result. With
// room in dst it allocates nothing, and the bytes of an object of one row are
// copied once, straight from SQLite's memory. On an error dst is returned as it was.
func (s *Store) Append(q nearlite.Querier, dst []byte, name string) ([]byte, error) {
	content := dst
	row := queryTail(q, &content, s.sql.get, name)
	if err := row.Err(); err != nil {
		return dst, s.failedRead("get", name, err)
	}
	id, chunk, size := row.Int64(0), row.Int64(1), row.Int64(2)
	if size < 0 || chunk < 0 {
		return dst, failed("get", name, ErrDamaged)
	}
	if chunk != 0 {
		content = slices.Grow(content, int(min(size, growMax)))
		for i := int64(0); i < rows(size, chunk); i++ {
			switch err := queryTail(q, &content, s.sql.chunk, chunkKey(id, i)).Err(); {
			case errors.Is(err, nearlite.ErrNoRows):
				return dst, failed("get", name, ErrDamaged)
			case err != nil:
				return dst, failed("get", name, err)
			}
		}
	}
	if int64(len(content)-len(dst)) != size {
		return dst, failed("get", name, ErrDamaged)
	}
	return content, nil
}

// failedRead explains the error of a query for one object.
func (s *Store) failedRead(op, name string, err error) error {
	if err == ErrNotExist || errors.Is(err, nearlite.ErrNoRows) || s.absent(err, s.table) {
		err = ErrNotExist
		if bad := CheckName(name); bad != nil {
			err = bad
		}
	}
	return failed(op, name, err)
}

// rows returns how many rows of that many bytes a content has.
func rows(size, chunk int64) int64 { return (size + chunk - 1) / chunk }

// Stat returns what is known of an object, and reads nothing of its content.
func (s *Store) Stat(q nearlite.Querier, name string) (Info, error) {
	e, err := s.find(q, name)
	if err != nil {
		return Info{}, s.failedRead("stat", name, err)
	}
	return e.Info, nil
}
