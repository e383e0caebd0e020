package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/nearlite/nearlite"
)

// Export writes objects into files below a directory, which it makes if need be.
// Files have the modification times of their objects.
//
// Each file appears whole, under its name, or not at all. A file of the same size
// and time is left alone, so a second export writes what is new; one that
// differs is an error unless Overwrite is set. Nothing is ever written outside
// of the directory: not through a name such as "../x", which a store does not
// take but its tables could be made to hold, and not through a symbolic link.
// The export is not one state of the database: an object changed meanwhile is
// written as it was before or after. For one state export from a backup.
func (s *Store) Export(ctx context.Context, db *nearlite.DB, dir string, opts *TransferOptions) (Report, error) {
	t, err := newTransfer(opts)
	if err != nil {
		return Report{}, failed("export", opts.Dir, err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return Report{}, fmt.Errorf("export: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Report{}, fmt.Errorf("export: %w", err)
	}
	defer root.Close()
	err = (&exporter{transfer: t, s: s, db: db, root: root}).run(ctx)
	report, failures := t.outcome()
	if err == nil {
		err = failures
	}
	return report, err
}

type exporter struct {
	*transfer
	s    *Store
	db   *nearlite.DB
	root *os.Root
}

func (ex *exporter) run(ctx context.Context) error {
	if ex.opts.Progress != nil {
		if err := ex.count(ctx); err != nil {
			return err
		}
	}
	from := ex.opts.prefix()
	for {
		var page []entry
		err := look(ctx, ex.db, func(tx *nearlite.ReadTx) (err error) {
			page, err = ex.s.page(tx, from, above(ex.opts.prefix()), pageSize)
			return err
		})
		if err != nil {
			return failed("export", ex.opts.Dir, err)
		}
		for _, e := range page {
			if err := ex.object(ctx, e); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		from = page[len(page)-1].Name + "\x00"
	}
}

func (ex *exporter) count(ctx context.Context) error {
	return look(ctx, ex.db, func(tx *nearlite.ReadTx) error {
		row := tx.QueryRow(ex.s.sql.usage, ex.opts.prefix(), above(ex.opts.prefix()))
		if err := row.Err(); ex.s.absent(err, ex.s.table) {
			return nil
		} else if err != nil {
			return err
		}
		ex.progress.TotalFiles, ex.progress.TotalBytes = row.Int64(0), row.Int64(1)
		return nil
	})
}

var errDiffers = fmt.Errorf("a file that differs is there: %w", fs.ErrExist)

// object exports one object. Its error is one that stops the export; what
// concerns this object alone it notes.
func (ex *exporter) object(ctx context.Context, e entry) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := CheckName(e.Name); err != nil {
		ex.fail(failed("export", e.Name, err))
		return nil
	}
	name := strings.TrimPrefix(e.Name, ex.opts.prefix())
	if ex.opts.Flat {
		name = flatten.Replace(name)
	}
	if there, err := ex.root.Lstat(name); err == nil {
		if there.Mode().IsRegular() && there.Size() == e.Size && there.ModTime().Equal(e.ModTime) {
			ex.done(e.Size, false)
			return nil
		}
		if !ex.opts.Overwrite {
			ex.fail(failed("export", e.Name, errDiffers))
			return nil
		}
	}
	size, err := ex.write(ctx, e.Name, name)
	switch {
	case err == nil:
		ex.done(size, true)
	case errors.Is(err, ErrNotExist) || errors.Is(err, ErrGone): // deleted since it was listed
	case stopsAll(err) || ctx.Err() != nil:
		return failed("export", e.Name, err)
	default:
		ex.fail(failed("export", e.Name, err))
	}
	return nil
}

// stopsAll reports whether what befell one file would befall the next.
func stopsAll(err error) bool {
	for _, of := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, nearlite.ErrClosed} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// write writes an object beside its file and gives it the file's name.
func (ex *exporter) write(ctx context.Context, object, file string) (size int64, err error) {
	in, err := ex.s.FS(ex.db).openFile(object)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	r, ok := in.(*objectFile)
	if !ok {
		return 0, ErrNotExist
	}
	if err := ex.root.MkdirAll(path.Dir(file), 0o777); err != nil {
		return 0, err
	}
	// The same in a second try, so that what a killed one has left goes then.
	sum := sha256.Sum256([]byte(file))
	temporary := path.Join(path.Dir(file), ".nearlite-"+hex.EncodeToString(sum[:8]))
	_ = ex.root.Remove(temporary)
	defer func() {
		if err != nil {
			_ = ex.root.Remove(temporary)
		}
	}()
	if err := ex.fill(ctx, temporary, r); err != nil {
		return 0, err
	}
	return r.Size(), ex.root.Rename(temporary, file)
}

func (ex *exporter) fill(ctx context.Context, name string, r *objectFile) error {
	out, err := ex.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = r.WriteTo(contextWriter{ctx, out})
	if closing := out.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = ex.root.Chtimes(name, r.info.ModTime, r.info.ModTime)
	}
	return err
}

// contextWriter ends when its context does.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

// Write writes, unless the context has ended.
func (c contextWriter) Write(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.w.Write(p)
}
