package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
)

// ReadAll returns all bytes of an object. It is for objects that fit in memory.
func ReadAll(ctx context.Context, s Store, key string) ([]byte, Info, error) {
	return ReadRange(ctx, s, key, All)
}

// ReadRange returns the bytes of a part of an object, and the Info of the whole.
func ReadRange(ctx context.Context, s Store, key string, part Range) ([]byte, Info, error) {
	r, info, err := s.Get(ctx, key, part)
	if err != nil {
		return nil, info, err
	}
	defer r.Close()
	from, to, err := part.In(info.Size)
	if err != nil {
		return nil, info, err
	}
	// A bytes.Buffer wants room to see the end, or it grows.
	buf := bytes.NewBuffer(make([]byte, 0, to-from+bytes.MinRead))
	if _, err := buf.ReadFrom(r); err != nil {
		return nil, info, err
	}
	return buf.Bytes(), info, nil
}

// Holds reports whether the object of a key has exactly this content: size bytes
// with that sum. It answers the question that ErrExist leaves open after an
// earlier call with the same content had an unknown outcome, and after a crash.
// It reads the object if the store does not know its sum, and only if the size
// is right. There being no object is false, not an error.
//
// Two writers that could both have made the same bytes learn nothing of each
// other from it; put the writer's name into what they write.
func Holds(ctx context.Context, s Store, key string, size int64, sum Sum) (bool, error) {
	info, err := s.Stat(ctx, key)
	switch {
	case errors.Is(err, ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.Size != size:
		return false, nil
	case len(info.SHA256) == len(sum):
		return Sum(info.SHA256) == sum, nil
	}
	r, _, err := s.Get(ctx, key, All)
	if errors.Is(err, ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer r.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, r); err != nil {
		return false, err
	}
	return Sum(hash.Sum(nil)) == sum, nil
}
