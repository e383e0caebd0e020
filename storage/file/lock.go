package file

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"time"

	"github.com/nearlite/nearlite/storage"
)

// lock stands for a part of all keys, for all processes: a file that is locked
// with flock(2). Within the process one goroutine at a time asks for it.
type lock struct {
	turn chan struct{} // holds one element while a goroutine has the turn
	file *os.File      // open since the first use; guarded by turn
}

// lockPatience is how long a lock may be held by somebody else. It is held for a
// rename and two syncs; whoever holds it longer is stopped, or its disk is.
const lockPatience = 30 * time.Second

// lock waits for the lock that stands for a key.
func (s *Store) lock(ctx context.Context, key string) (unlock func(), err error) {
	h := fnv.New32a()
	h.Write([]byte(key))
	number := int(h.Sum32() % uint32(len(s.locks)))
	l := &s.locks[number]
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	path := filepath.Join(s.root, storage.Reserved, fmt.Sprintf("lock-%02d", number))
	if err := l.take(ctx, path); err != nil {
		<-l.turn
		return nil, err
	}
	return func() {
		_ = unlockFile(l.file)
		<-l.turn
	}, nil
}

// take locks the file, which may take as long as another process has it.
func (l *lock) take(ctx context.Context, path string) error {
	if l.file == nil {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			return err
		}
		l.file = f
	}
	began := time.Now()
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		err := lockFile(l.file)
		if !errors.Is(err, errLocked) {
			return err
		}
		if time.Since(began) > lockPatience {
			return fmt.Errorf("another process has held %s for %v: is it stopped?", path, lockPatience)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (l *lock) close() error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}
