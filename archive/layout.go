package archive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/pagemap"
	"github.com/nearlite/nearlite/storage"
)

// Levels of objects. An entry is an object of level 0; objects of the levels above
// hold the pages of many; a snapshot holds all pages there are.
const (
	levelTop      = 3
	levelSnapshot = 9
)

// An Object of an archive leads from the state after the entry Min-1, or from any
// later one, to the state after the entry Max. If Min is 1 it has all pages.
type Object struct {
	Key      string
	Level    int // 0: one entry, 1 to 3: several, 9: a snapshot
	Min, Max uint64
	Size     int64     // bytes
	Time     time.Time // when it was stored, by the store's clock
}

// layout knows where objects lie. Litestream puts them elsewhere in a bucket than
// in a directory.
type layout struct {
	root   string // what the keys of all objects begin with
	format string // of a level's directory
}

func layoutOf(s storage.Store) layout {
	if strings.HasPrefix(s.String(), "s3:") {
		return layout{root: "0", format: "%04x/"}
	}
	return layout{root: "ltx/", format: "ltx/%d/"}
}

func (l layout) dir(level int) string { return fmt.Sprintf(l.format, level) }

func (l layout) key(level int, from, to uint64) string {
	return fmt.Sprintf("%s%016x-%016x.ltx", l.dir(level), from, to)
}

// parse makes an object of what a listing says; what has another name is not ours.
func (l layout) parse(info storage.Info) (Object, bool) {
	slash := strings.LastIndexByte(info.Key, '/')
	dir := info.Key[:slash+1]
	level, base := strings.TrimPrefix(dir, l.root), 10
	if l.root == "0" {
		level, base = dir, 16
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(level, "/"), base, 8)
	if err != nil || n > levelSnapshot || l.dir(int(n)) != dir {
		return Object{}, false
	}
	from, to, err := ltx.ParseFilename(info.Key[slash+1:])
	if err != nil || from == 0 || from > to {
		return Object{}, false
	}
	return Object{Key: info.Key, Level: int(n), Min: uint64(from), Max: uint64(to), Size: info.Size, Time: info.Time}, true
}

// list calls visit with the objects of a level whose Min is greater than after, in
// ascending order, until it returns false.
func (a *reader) list(ctx context.Context, level int, after uint64, visit func(Object) bool) error {
	dir := a.layout.dir(level)
	from := dir
	if after > 0 {
		from = fmt.Sprintf("%s%016x", dir, after+1)
	}
	return a.listed(a.store.List(ctx, dir, from), visit)
}

// listAll returns all objects, by level and then in ascending order.
func (a *reader) listAll(ctx context.Context) ([]Object, error) {
	var all []Object
	err := a.listed(a.store.List(ctx, a.layout.root, ""), func(o Object) bool {
		all = append(all, o)
		return true
	})
	return all, err
}

func (a *reader) listed(infos func(func(storage.Info, error) bool), visit func(Object) bool) error {
	for info, err := range infos {
		if err != nil {
			return err
		}
		if o, ok := a.layout.parse(info); ok && !visit(o) {
			return nil
		}
	}
	return nil
}

// describes checks that a header is the one that an object's key promises.
func (o Object) describes(h ltx.Header) error {
	if uint64(h.MinTXID) != o.Min || uint64(h.MaxTXID) != o.Max {
		return fmt.Errorf("it has the entries %d to %d, and its name says %d to %d", h.MinTXID, h.MaxTXID, o.Min, o.Max)
	}
	return nil
}

// headOf is what a header says of the last entry in an object.
func headOf(h ltx.Header) nearlite.Head {
	return nearlite.Head{
		TXID: uint64(h.MaxTXID), Epoch: uint32(h.NodeID >> 32), Sum: uint32(h.NodeID),
		Time: time.UnixMilli(h.Timestamp).UTC(), PageSize: int(h.PageSize), Pages: h.Commit,
		WAL: pagemap.Place{Salt1: h.WALSalt1, Salt2: h.WALSalt2, Offset: h.WALOffset + h.WALSize},
	}
}

// damaged is the error for an object whose bytes are not what they should be.
func (a *reader) damaged(key string, err error) error {
	if errors.Is(err, storage.ErrDamaged) {
		return err
	}
	return &storage.Error{Op: "read", Store: a.store.String(), Key: key, Kind: storage.ErrDamaged, Err: err,
		Remedy: "put it back from another copy of the archive, or restore to an entry before it; Verify tells what else is damaged"}
}
