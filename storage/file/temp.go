package file

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nearlite/nearlite/storage"
)

// temp is a file that holds a content, synced, and has no name yet that anybody
// looks for.
type temp struct {
	path string
	info os.FileInfo
}

// write makes a temporary file of a content, modified after a certain time.
func (s *Store) write(ctx context.Context, content storage.Content, after time.Time) (temp, error) {
	tmp := temp{path: s.owner.next()}
	if err := s.before("write", tmp.path); err != nil {
		return temp{}, err
	}
	f, err := os.OpenFile(tmp.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return temp{}, err
	}
	tmp.info, err = s.fill(ctx, f, content, after)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		tmp.remove()
		return temp{}, err
	}
	return tmp, nil
}

func (s *Store) fill(ctx context.Context, f *os.File, content storage.Content, after time.Time) (os.FileInfo, error) {
	if err := copyContent(ctx, f, content); err != nil {
		return nil, err
	}
	info, err := stamp(f, after)
	if err != nil {
		return nil, err
	}
	if err := s.before("sync", f.Name()); err != nil {
		return nil, err
	}
	return info, f.Sync()
}

func copyContent(ctx context.Context, f *os.File, content storage.Content) error {
	const most = 256 << 10
	size := content.Size()
	if size < 0 || size > most {
		size = most
	}
	buf := make([]byte, max(size, 1))
	_, err := io.CopyBuffer(onlyWriter{f}, content.Reader(ctx), buf)
	return err
}

// onlyWriter keeps io.CopyBuffer from using a buffer of its own.
type onlyWriter struct{ io.Writer }

// stamp sets the time of the last modification, on which versions are built, to
// now, or to the next moment after another that the disk can tell from it.
func stamp(f *os.File, after time.Time) (os.FileInfo, error) {
	at := time.Now()
	if !at.After(after) {
		at = after
	}
	for _, step := range []time.Duration{0, 1, time.Microsecond, time.Millisecond, time.Second, 2 * time.Second} {
		if err := os.Chtimes(f.Name(), time.Time{}, at.Add(step)); err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err != nil || info.ModTime().After(after) {
			return info, err
		}
	}
	return nil, fmt.Errorf("%w: this disk does not keep the time of a file's modification", storage.ErrRefused)
}

// is reports whether a name belongs to this file: a network file system may say
// that a rename has failed that it did.
func (t temp) is(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && os.SameFile(info, t.info)
}

// remove takes the temporary name away, if the file still has it.
func (t temp) remove() { _ = os.Remove(t.path) }
