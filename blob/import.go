package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"io/fs"
	"path"
	"runtime"
	"sync"
	"time"

	"github.com/nearlite/nearlite"
)

// Import copies the regular files of a file system into the store: os.DirFS, the
// FS of an os.Root, an embed.FS, a zip. Files keep their modification times.
//
// Each file is in the store whole or not at all, whatever happens: an error, a
// full disk, the end of ctx, kill -9. To go on, import again: a file of the size
// and the time of its object is not read, and a small one with the same content
// not written. A file that cannot be read or has no valid name does not stop the
// others; the error names the first ten of them.
func (s *Store) Import(ctx context.Context, db *nearlite.DB, from fs.FS, opts *TransferOptions) (Report, error) {
	t, err := newTransfer(opts)
	if err != nil {
		return Report{}, failed("import to", opts.Dir, err)
	}
	im := &importer{transfer: t, s: s, db: db, from: from,
		files: make(chan source, 64), small: make(chan object, 64)}
	im.ctx, im.stop = context.WithCancelCause(ctx)
	defer im.stop(nil)
	err = im.run()
	report, failures := t.outcome()
	if err == nil {
		err = failures
	}
	return report, err
}

// importer moves files through three stages: one goroutine finds them, some read
// and hash them, one writes the small ones, as many in a transaction as come in
// a moment. Large files are uploaded by those who read them.
type importer struct {
	*transfer
	s     *Store
	db    *nearlite.DB
	from  fs.FS
	ctx   context.Context
	stop  context.CancelCauseFunc // on the first error that concerns all
	files chan source
	small chan object
}

// source is a file that was found.
type source struct {
	path string // in from
	name string // of the object
	info fs.FileInfo
}

// object is a small file that was read.
type object struct {
	name    string
	content []byte
	opts    PutOptions
}

// importWait is how long a transaction waits for more small files: the more it has
// to choose from, the better they share pages.
const importWait = 20 * time.Millisecond

func (im *importer) run() error {
	if im.opts.Progress != nil {
		im.count()
	}
	var readers, writer sync.WaitGroup
	for range max(2, runtime.GOMAXPROCS(0)) {
		readers.Go(im.read)
	}
	writer.Go(im.write)
	im.must(im.find())
	close(im.files)
	readers.Wait()
	close(im.small)
	writer.Wait()
	if im.ctx.Err() != nil {
		return context.Cause(im.ctx)
	}
	return nil
}

// must ends the import if err is one.
func (im *importer) must(err error) {
	if err != nil {
		im.stop(err)
	}
}

// count finds out how much there is to do.
func (im *importer) count() {
	_ = im.walk(func(f source) error { // find reports what is wrong
		im.progress.TotalFiles++
		im.progress.TotalBytes += f.info.Size()
		return im.ctx.Err()
	}, func(string, error) {})
}

func (im *importer) find() error {
	return im.walk(func(f source) error {
		select {
		case im.files <- f:
			return nil
		case <-im.ctx.Done():
			return context.Cause(im.ctx)
		}
	}, im.passOver)
}

// passOver notes what is no regular file, or what error there was in its place.
func (im *importer) passOver(name string, err error) {
	if err != nil {
		im.fail(failed("import", name, err))
		return
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	im.report.Irregular = append(im.report.Irregular, name)
}

// walk calls found for each regular file and other for everything else.
func (im *importer) walk(found func(source) error, other func(name string, err error)) error {
	return fs.WalkDir(im.from, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			other(name, err)
			return nil
		case d.IsDir() && im.opts.Flat && name != ".":
			other(name, nil)
			return fs.SkipDir
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			other(name, nil)
			return nil
		}
		info, err := d.Info()
		if err != nil {
			other(name, err)
			return nil
		}
		return found(source{path: name, name: im.nameOf(name), info: info})
	})
}

// nameOf is the name of the object that a file becomes.
func (im *importer) nameOf(file string) string {
	if im.opts.Flat {
		file = unflatten.Replace(file)
	}
	return path.Join(im.opts.Dir, file)
}

// read takes files until there are no more.
func (im *importer) read() {
	for f := range im.files {
		if im.ctx.Err() != nil {
			continue
		}
		if err := CheckName(f.name); err != nil {
			im.fail(failed("import", f.path, err))
			continue
		}
		same, err := im.unchanged(f)
		switch {
		case err != nil:
			im.must(err)
		case same:
			im.done(f.info.Size(), false)
		default:
			im.copy(f)
		}
	}
}

// unchanged reports whether the object is there already, by size and time.
func (im *importer) unchanged(f source) (same bool, err error) {
	err = look(im.ctx, im.db, func(tx *nearlite.ReadTx) error {
		old, err := im.s.find(tx, f.name)
		same = err == nil && old.Size == f.info.Size() && old.ModTime.Equal(f.info.ModTime())
		if err == ErrNotExist {
			return nil
		}
		return err
	})
	return same, err
}

// copy reads one file and sees to it that it is written.
func (im *importer) copy(f source) {
	file, err := im.from.Open(f.path)
	if err != nil {
		im.fail(failed("import", f.path, err))
		return
	}
	defer file.Close()
	opts := PutOptions{ModTime: f.info.ModTime()}
	// One byte more than the file should have, to see that it has not grown.
	head := make([]byte, min(f.info.Size(), int64(im.s.rowSize))+1)
	n, err := io.ReadFull(file, head)
	switch {
	case err == nil:
		im.upload(f, io.MultiReader(bytes.NewReader(head), file), opts)
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		opts.SHA256 = sha256.Sum256(head[:n])
		select {
		case im.small <- object{f.name, head[:n], opts}:
		case <-im.ctx.Done():
		}
	default:
		im.fail(failed("import", f.path, err))
	}
}

// upload writes a large file in transactions of its own.
func (im *importer) upload(f source, r io.Reader, opts PutOptions) {
	src := &sourceReader{r: r}
	info, err := im.s.Upload(im.ctx, im.db, f.name, src, &opts)
	switch {
	case err == nil:
		im.done(info.Size, true)
	case src.err != nil:
		im.fail(failed("import", f.path, src.err))
	default:
		im.must(err)
	}
}

// sourceReader remembers an error of the file, to tell it from one of the database.
type sourceReader struct {
	r   io.Reader
	err error
}

// Read reads from the file.
func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// write puts small objects into the store, each transaction as many as are there.
func (im *importer) write() {
	for first := range im.small {
		batch, size := []object{first}, len(first.content)
		full := time.After(importWait)
	more:
		for size < uploadStep && len(batch) < pageSize {
			select {
			case o, ok := <-im.small:
				if !ok {
					break more
				}
				batch = append(batch, o)
				size += len(o.content)
			case <-full:
				break more
			}
		}
		if im.ctx.Err() == nil {
			im.must(im.put(batch))
		}
	}
}

func (im *importer) put(batch []object) error {
	var written []bool
	err := im.db.Update(im.ctx, func(tx *nearlite.WriteTx) (err error) {
		written, err = im.s.putAll(tx, batch)
		return err
	})
	if err != nil {
		return err
	}
	for i, o := range batch {
		im.done(int64(len(o.content)), written[i])
	}
	return nil
}

// putAll stores small objects with known sums, and reports which of them were not
// there already. The contents of new ones lie in the order of [packed].
func (s *Store) putAll(tx *nearlite.WriteTx, batch []object) (written []bool, err error) {
	written = make([]bool, len(batch))
	var fresh, rest, sizes []int
	names := map[string]bool{}
	for i, o := range batch {
		old, found, err := s.findToWrite(tx, o.name)
		if err != nil {
			return nil, failed("put", o.name, err)
		}
		if written[i] = old.SHA256 != o.opts.SHA256; found || names[o.name] {
			rest = append(rest, i)
			continue
		}
		names[o.name] = true
		fresh, sizes = append(fresh, i), append(sizes, len(o.content))
	}
	page, err := nearlite.One[int](tx, "SELECT page_size FROM pragma_page_size")
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(batch))
	for _, at := range packed(sizes, page) {
		o := &batch[fresh[at]]
		res, err := tx.Exec(s.sql.addContent, o.content)
		if err != nil {
			return nil, failed("put", o.name, err)
		}
		ids[fresh[at]] = res.LastInsertRowID
	}
	for _, i := range fresh {
		o := &batch[i]
		info, err := o.opts.info(o.name, s.now())
		if err == nil {
			info.Size, info.SHA256 = int64(len(o.content)), o.opts.SHA256
			err = s.publish(tx, entry{Info: info, id: ids[i]})
		}
		if err != nil {
			return nil, failed("put", o.name, err)
		}
	}
	for _, i := range rest {
		if _, err := s.Put(tx, batch[i].name, batch[i].content, &batch[i].opts); err != nil {
			return nil, err
		}
	}
	return written, nil
}
