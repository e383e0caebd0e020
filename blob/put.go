package blob

import (
	"crypto/sha256"

	"github.com/nearlite/nearlite"
)

// Put stores content under name, in place of what was there. Content of more
// than [RowSize] bytes becomes rows of that size; for more than fits in memory
// there are [Store.Create] and [Store.Upload].
func (s *Store) Put(tx *nearlite.WriteTx, name string, content []byte, opts *PutOptions) (Info, error) {
	if len(content) > s.rowSize {
		return s.putLarge(tx, name, content, opts)
	}
	info, err := opts.info(name, s.now())
	if err != nil {
		return Info{}, failed("put", name, err)
	}
	known := false
	if info.SHA256, known = opts.sum(); !known {
		info.SHA256 = sha256.Sum256(content)
	}
	info.Size = int64(len(content))
	if content == nil {
		content = []byte{} // nil is NULL
	}
	return info, failed("put", name, s.putRow(tx, info, content))
}

func (s *Store) putLarge(tx *nearlite.WriteTx, name string, content []byte, opts *PutOptions) (Info, error) {
	if err := CheckName(name); err != nil {
		return Info{}, failed("put", name, err)
	}
	w, err := s.newWriter("put", name, opts, s.rowSize, within(tx))
	if err != nil {
		return Info{}, err
	}
	w.sum, w.summed = opts.sum()
	if _, err := w.Write(content); err != nil {
		return Info{}, err
	}
	err = w.Close()
	return w.Info(), err
}

// putRow stores an object of one row. Where one row was before, it is
// overwritten in place, which touches a fifth fewer pages than a row elsewhere;
// and not at all if the content is the same.
func (s *Store) putRow(tx *nearlite.WriteTx, info Info, content []byte) error {
	old, found, err := s.findToWrite(tx, info.Name)
	if err != nil {
		return err
	}
	if found && old.chunk == 0 {
		return s.overwrite(tx, old, info, content)
	}
	res, err := tx.Exec(s.sql.addContent, content)
	if err == nil && found {
		err = s.release(tx, old)
	}
	if err != nil {
		return err
	}
	return s.publish(tx, entry{Info: info, id: res.LastInsertRowID})
}

// overwrite leaves the index alone if the size is the same.
func (s *Store) overwrite(tx *nearlite.WriteTx, old entry, info Info, content []byte) error {
	if old.Size != info.Size || old.SHA256 != info.SHA256 {
		if _, err := tx.Exec(s.sql.setContent, content, old.id); err != nil {
			return err
		}
	}
	if old.Size != info.Size {
		return s.publish(tx, entry{Info: info, id: old.id})
	}
	_, err := tx.Exec(s.sql.refresh, info.ModTime.UnixNano(), info.ContentType, info.SHA256[:], info.Name)
	return err
}

// publish makes the entry of the table of names: from now on the object is there.
func (s *Store) publish(tx *nearlite.WriteTx, e entry) error {
	_, err := tx.Exec(s.sql.publish, e.Name, e.id, e.chunk, e.Size, e.ModTime.UnixNano(), e.ContentType, e.SHA256[:])
	return err
}
