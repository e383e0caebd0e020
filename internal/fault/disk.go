package fault

// #include "vfs.h"
import "C"

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"unsafe"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// disk remembers, for each file, what is certainly on the disk and what was
// written since the last sync, which a power cut may keep, drop or tear.
type disk struct {
	files map[string]*content
	ids   []*content // by number, from 1
}

type content struct {
	path    string
	safe    []byte
	synced  int64 // changes that are in safe
	pending []change
}

// change is a write, or with nil bytes a truncation to the size at.
type change struct {
	at    int64
	bytes []byte
}

// Remember starts to keep what a power cut could lose. Call it before the files
// are opened; what they hold then counts as safe.
func (v *VFS) Remember() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.disk = &disk{files: map[string]*content{}}
}

// Clone writes into dir the files as a power cut at this moment could leave
// them: all that was synced, and of the rest, sector by sector, what rng decides.
// With a nil rng nothing that was not synced is kept. The shared memory of a WAL
// is not a file that survives; it is left out.
func (v *VFS) Clone(dir string, rng *rand.Rand) error {
	return v.write(dir, func(c *content) []byte { return c.survivor(rng) })
}

// Copy writes into dir the files as a killed process leaves them: everything
// that was written, synced or not.
func (v *VFS) Copy(dir string) error {
	return v.write(dir, func(c *content) []byte {
		data := append([]byte(nil), c.safe...)
		for _, ch := range c.pending {
			data = ch.apply(data)
		}
		return data
	})
}

func (v *VFS) write(dir string, state func(*content) []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.disk.files {
		name := filepath.Join(dir, filepath.Base(c.path))
		if err := os.WriteFile(name, state(c), 0o600); err != nil {
			return fmt.Errorf("clone: %w", err)
		}
	}
	return nil
}

// survivor returns one of the states the file may be found in.
func (c *content) survivor(rng *rand.Rand) []byte {
	data := append([]byte(nil), c.safe...)
	if rng == nil {
		return data
	}
	keep := rng.Float64() // of the changes, so that all, some and none are likely
	for _, ch := range c.pending {
		for _, part := range ch.sectors() {
			if rng.Float64() < keep {
				data = part.apply(data)
			}
		}
	}
	return data
}

// sectors splits a write at the boundaries of sectors.
func (ch change) sectors() (parts []change) {
	if ch.bytes == nil {
		return []change{ch}
	}
	for at, rest := ch.at, ch.bytes; len(rest) > 0; {
		n := min(int64(len(rest)), sector-at%sector)
		parts = append(parts, change{at, rest[:n]})
		at, rest = at+n, rest[n:]
	}
	return parts
}

func (ch change) apply(data []byte) []byte {
	if ch.bytes == nil {
		return resize(data, ch.at)
	}
	if end := ch.at + int64(len(ch.bytes)); end > int64(len(data)) {
		data = resize(data, end)
	}
	copy(data[ch.at:], ch.bytes)
	return data
}

func resize(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return data[:size]
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

// follow calls f with a file's content, if it is followed.
func (v *VFS) follow(id C.int64_t, f func(*content)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.disk != nil && id > 0 {
		f(v.disk.ids[id-1])
	}
}

//export goFaultOpened
func goFaultOpened(h C.uintptr_t, path *C.char) C.int64_t {
	v := of(h)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.disk == nil {
		return 0
	}
	name := C.GoString(path)
	c := v.disk.files[name]
	if c == nil {
		// Closing a file drops the process's POSIX locks on it, so this is done
		// once, before there are any. A new file is empty.
		data, _ := os.ReadFile(name)
		c = &content{path: name, safe: data}
		v.disk.files[name] = c
	}
	v.disk.ids = append(v.disk.ids, c)
	return C.int64_t(len(v.disk.ids))
}

//export goFaultWrote
func goFaultWrote(h C.uintptr_t, id C.int64_t, p unsafe.Pointer, n C.int, at C.int64_t) {
	of(h).follow(id, func(c *content) {
		c.pending = append(c.pending, change{int64(at), append([]byte{}, unsafe.Slice((*byte)(p), int(n))...)})
	})
}

//export goFaultCut
func goFaultCut(h C.uintptr_t, id C.int64_t, size C.int64_t) {
	of(h).follow(id, func(c *content) { c.pending = append(c.pending, change{at: int64(size)}) })
}

// A sync covers what was written before it began; another connection may write
// the same file meanwhile.
//
//export goFaultSyncing
func goFaultSyncing(h C.uintptr_t, id C.int64_t) (upTo C.int64_t) {
	of(h).follow(id, func(c *content) { upTo = C.int64_t(c.synced + int64(len(c.pending))) })
	return upTo
}

//export goFaultSynced
func goFaultSynced(h C.uintptr_t, id, upTo C.int64_t) {
	of(h).follow(id, func(c *content) {
		for c.synced < int64(upTo) {
			c.safe = c.pending[0].apply(c.safe)
			c.pending = c.pending[1:]
			c.synced++
		}
	})
}

//export goFaultDeleted
func goFaultDeleted(h C.uintptr_t, path *C.char) {
	v := of(h)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.disk != nil {
		delete(v.disk.files, C.GoString(path))
	}
}
