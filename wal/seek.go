package wal

import (
	"errors"
	"fmt"
	"io"
)

// ErrNoCommit is returned when no commit ends at a place, or what is before it is
// no unbroken chain of commits.
var ErrNoCommit = errors.New("no commit of the write-ahead log ends there")

// To returns the mark behind the commit that ends at an offset, or ErrNoCommit.
func (m Mark) To(r io.ReaderAt, offset int64) (Mark, error) {
	for m.Offset < offset {
		next, err := m.Next(r)
		if err == io.EOF {
			return m, fmt.Errorf("%w: byte %d, and the last ends at byte %d", ErrNoCommit, offset, m.Offset)
		}
		if err != nil {
			return m, err
		}
		m = next
	}
	if m.Offset != offset {
		return m, fmt.Errorf("%w: byte %d", ErrNoCommit, offset)
	}
	return m, nil
}

// Sum returns the checksum of all that is before the mark, as the header of the
// last frame has it; see [Commit.Sum].
func (m Mark) Sum() uint64 { return uint64(m.sum1)<<32 | uint64(m.sum2) }
