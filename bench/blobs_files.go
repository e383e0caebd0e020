package bench

import (
	"context"
	"fmt"
)

// blobFiles are blobs in files of their own. They are given every advantage:
// four system calls for a read and three for a write, without any of what a
// library would do around them (C's buffered files, Go's poller and allocation).
type blobFiles struct {
	set   *blobSet
	place string
	names *blobNames
	fsync bool
	buf   []byte
}

func (s *blobSet) openFiles(layout BlobLayout, plan BlobsPlan) *blobFiles {
	return &blobFiles{set: s, place: string(layout), names: newBlobNames(s.dir(layout), layout),
		fsync: plan.Sync == SyncFull, buf: make([]byte, s.Size+s.Variance+1)}
}

func (f *blobFiles) read(_ context.Context, keys []int, check func(key int, content []byte) error) (total int64, err error) {
	for _, key := range keys {
		n, err := readFile(f.names.raw(key), f.buf)
		if err != nil {
			return total, fmt.Errorf("read %s: %w", f.names.of(key), err)
		}
		total += int64(n)
		if check != nil {
			if err := check(key, f.buf[:n]); err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

func (f *blobFiles) overwrite(_ context.Context, keys []int) error {
	for _, key := range keys {
		if err := overwriteFile(f.names.raw(key), f.set.rewritten(f.place, key), f.fsync); err != nil {
			return fmt.Errorf("overwrite %s: %w", f.names.of(key), err)
		}
	}
	return nil
}

// settle does nothing: what files leave to be done later, they leave to the
// operating system.
func (f *blobFiles) settle(context.Context) error { return nil }

func (f *blobFiles) close() error { return nil }

// blobNames makes the names of files without allocating.
type blobNames struct {
	buf    []byte // the directory, the digits, a zero byte
	digits int    // where they begin
	tree   bool
}

func newBlobNames(dir string, layout BlobLayout) *blobNames {
	return &blobNames{buf: append([]byte(dir), '/'), digits: len(dir) + 1, tree: layout == Tree}
}

// of returns the name of a blob's file.
func (n *blobNames) of(key int) string {
	raw := n.raw(key)
	return string(raw[:len(raw)-1])
}

// raw returns the name with a zero byte behind it, valid until the next.
func (n *blobNames) raw(key int) []byte {
	buf := n.buf[:n.digits]
	if n.tree {
		buf = appendPair(buf, key/10_000)
		buf = appendPair(append(buf, '/'), key/100%100)
		buf = appendPair(append(buf, '/'), key%100)
	} else {
		buf = appendPair(buf, key/10_000)
		buf = appendPair(buf, key/100%100)
		buf = appendPair(buf, key%100)
	}
	n.buf = append(buf, 0)
	return n.buf
}

// appendPair appends two digits, or more if two are not enough.
func appendPair(buf []byte, n int) []byte {
	if n >= 100 {
		buf = appendPair(buf, n/100)
	}
	return append(buf, '0'+byte(n/10%10), '0'+byte(n%10))
}
