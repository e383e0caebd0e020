package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/archive/internal/ltxfile"
	"github.com/nearlite/nearlite/storage"
)

// hintKey is the key of the object that says where the log was seen to end.
const hintKey = "head"

// A hint saves listings. It never says where the log ends: what it names has to be
// there, and what comes after it is looked for. But it is written after that entry
// was stored, and the newest entry is never deleted; so if the log ends before it,
// something is missing.
type hint struct {
	TXID     uint64    `json:"txid"`
	Time     time.Time `json:"time"`
	PageSize int       `json:"page_size"`
	Pages    uint32    `json:"pages"`
	Epoch    string    `json:"epoch"`
	Sum      string    `json:"sum"`
}

func parseHint(b []byte) (hint, error) {
	var h hint
	if err := json.Unmarshal(b, &h); err != nil {
		return hint{}, err
	}
	return h, nil
}

// Head describes the last entry. It reads the hint, lists what comes after it and
// reads the last entry; one that knows the log already leaves out the hint.
func (a *Archive) Head(ctx context.Context) (nearlite.Head, error) {
	a.mu.Lock()
	from, closed := a.head.TXID, a.closed
	a.mu.Unlock()
	if closed {
		return nearlite.Head{}, errClosed
	}
	looked := time.Now()
	head, err := a.look(ctx, from)
	if err != nil {
		return nearlite.Head{}, fmt.Errorf("look where the log ends: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if head.TXID >= a.head.TXID { // an entry may have been appended meanwhile
		a.head, a.known, a.looked = head, true, looked
	}
	return head, nil
}

// look finds the last entry; from is one that is known to be in the log, or 0.
func (a *reader) look(ctx context.Context, from uint64) (nearlite.Head, error) {
	named := uint64(0)
	if from == 0 {
		var err error
		if named, err = a.readHint(ctx); err != nil {
			return nearlite.Head{}, err
		}
		from = named
	}
	var last Object
	if from > 0 {
		err := a.list(ctx, 0, from-1, func(o Object) bool {
			last = o
			return true
		})
		if err != nil {
			return nearlite.Head{}, err
		}
	}
	if last.Max == 0 { // there is no hint, or what it names is gone
		all, err := a.listAll(ctx)
		if err != nil {
			return nearlite.Head{}, err
		}
		for _, o := range all {
			if o.Max > last.Max {
				last = o
			}
		}
	}
	if last.Max < named {
		return nearlite.Head{}, a.endsEarly(last.Max, named)
	}
	if last.Max == 0 {
		return nearlite.Head{}, nil
	}
	h, err := a.readHeader(ctx, last)
	return headOf(h), err
}

// endsEarly is the error of a log whose end is missing.
func (a *reader) endsEarly(last, named uint64) error {
	return fmt.Errorf("%w: the object %q says that it went on to entry %d, and it ends with entry %d: put %s back, or delete %q to go on without",
		ErrIncomplete, hintKey, named, last, a.layout.key(0, named, named), hintKey)
}

// readHint returns the entry that the hint names, or 0. That a hint cannot be
// understood is no error, but that it cannot be read is: neither could the rest.
func (a *reader) readHint(ctx context.Context) (uint64, error) {
	b, _, err := storage.ReadRange(ctx, a.store, hintKey, storage.Range{Length: 4096})
	if errors.Is(err, storage.ErrNotExist) || errors.Is(err, storage.ErrRange) || errors.Is(err, storage.ErrDamaged) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	h, err := parseHint(b)
	if err != nil {
		return 0, nil
	}
	return h.TXID, nil
}

// wholeBytes is the size up to which an object is read as a whole for its header:
// then its checksum says that the header is right.
const wholeBytes = 1 << 20

// readHeader reads an object's header, which has to be the one its key promises.
func (a *reader) readHeader(ctx context.Context, o Object) (ltx.Header, error) {
	part := storage.Range{Length: ltx.HeaderSize}
	if o.Size <= wholeBytes {
		part = storage.All
	}
	b, info, err := storage.ReadRange(ctx, a.store, o.Key, part)
	if errors.Is(err, storage.ErrRange) {
		return ltx.Header{}, a.damaged(o.Key, errors.New("it is empty"))
	} else if err != nil {
		return ltx.Header{}, err
	}
	d, err := ltxfile.NewDecoderBytes(b)
	if err != nil {
		return ltx.Header{}, a.damaged(o.Key, err)
	}
	h := d.Header()
	if err := o.describes(h); err != nil {
		return ltx.Header{}, a.damaged(o.Key, err)
	}
	if int64(len(b)) == info.Size {
		for err == nil {
			_, _, err = d.Next()
		}
		if err != io.EOF {
			return ltx.Header{}, a.damaged(o.Key, err)
		}
	}
	return h, nil
}

// writeHint puts down where the log ends, and returns the time by the store's clock.
func (a *Archive) writeHint(ctx context.Context, h nearlite.Head) (time.Time, error) {
	text, err := json.Marshal(hint{TXID: h.TXID, Time: h.Time, PageSize: h.PageSize, Pages: h.Pages,
		Epoch: epochText(h.Epoch), Sum: fmt.Sprintf("%08x", h.Sum)})
	if err != nil {
		return time.Time{}, err
	}
	info, err := a.store.Stat(ctx, hintKey)
	if err != nil && !errors.Is(err, storage.ErrNotExist) {
		return time.Time{}, err
	}
	info, err = a.put(ctx, hintKey, text, info.Version)
	return info.Time, err
}

// put stores a small object in the place of one of that version, or of none.
func (a *reader) put(ctx context.Context, key string, text []byte, old storage.Version) (storage.Info, error) {
	content := storage.Bytes(append(text, '\n'))
	if old == "" {
		return a.store.Create(ctx, key, content)
	}
	return a.store.Replace(ctx, key, content, old)
}
