package blob

import (
	"context"
	"errors"
	"io"

	"github.com/nearlite/nearlite"
)

// uploadStep is how many bytes of a stream one transaction takes: enough to make
// its flush of the disk cheap, and some milliseconds of the writer's time.
const uploadStep = 4 << 20

// Upload stores what r yields as an object called name, however long that is
// and however slowly it comes. Content goes into short transactions of their
// own while it arrives, each some megabytes, and nothing is to be seen of it
// before the last one gives it its name: then the whole object is there, in place
// of what was, or on an error nothing is changed.
//
// What a process has written that dies meanwhile goes with a later [Store.Sweep].
func (s *Store) Upload(ctx context.Context, db *nearlite.DB, name string, r io.Reader, opts *PutOptions) (Info, error) {
	if err := CheckName(name); err != nil {
		return Info{}, failed("upload", name, err)
	}
	w, err := s.newWriter("upload", name, opts, s.uploadBuffer(), func(fn func(tx *nearlite.WriteTx) error) error {
		return db.Update(ctx, fn)
	})
	if err != nil {
		return Info{}, err
	}
	if _, err = w.ReadFrom(contextReader{ctx, r}); err == nil {
		err = w.Close()
	}
	if err != nil {
		w.discard(context.WithoutCancel(ctx), db)
		if e := (*Error)(nil); !errors.As(err, &e) {
			err = failed("upload", name, err)
		}
		return Info{}, err
	}
	if w.id != 0 {
		_, _ = s.Sweep(ctx, db) // the object is there, whatever becomes of this
	}
	return w.Info(), nil
}

// uploadBuffer is uploadStep as whole rows.
func (s *Store) uploadBuffer() int { return max(1, uploadStep/s.rowSize) * s.rowSize }

// contextReader ends when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read reads, unless the context has ended.
func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
