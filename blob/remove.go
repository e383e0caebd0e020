package blob

import "github.com/nearlite/nearlite"

// Delete removes an object; without one the error is [ErrNotExist]. It takes the
// same time whatever the size: see [Store.Sweep].
func (s *Store) Delete(tx *nearlite.WriteTx, name string) error {
	return failed("delete", name, s.remove(tx, name))
}

func (s *Store) remove(tx *nearlite.WriteTx, name string) error {
	old, found, err := s.findToWrite(tx, name)
	switch {
	case err != nil:
		return err
	case !found:
		return ErrNotExist
	}
	if err := s.release(tx, old); err != nil {
		return err
	}
	_, err = tx.Exec(s.sql.remove, name)
	return err
}

// Rename gives an object another name, in place of what had that. Content is
// neither read nor written.
func (s *Store) Rename(tx *nearlite.WriteTx, from, to string) error {
	if err := CheckName(to); err != nil {
		return failed("rename to", to, err)
	}
	return failed("rename", from, s.move(tx, from, to))
}

func (s *Store) move(tx *nearlite.WriteTx, from, to string) error {
	_, found, err := s.findToWrite(tx, from)
	switch {
	case err != nil:
		return err
	case !found:
		return ErrNotExist
	case from == to:
		return nil
	}
	if err := s.remove(tx, to); err != nil && err != ErrNotExist {
		return err
	}
	_, err = tx.Exec(s.sql.rename, to, from)
	return err
}
