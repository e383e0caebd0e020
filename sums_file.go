package nearlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

// The checksums of all pages are read from the whole file when a database with a
// log is opened, which takes a second for some gigabytes. One that was closed keeps
// them beside it, in a file of its name and "-sums", until it is opened again: then
// that file goes, since what it says is true of the closed file only. Its layout, in
// little-endian order:
//
//	0  8  NLSUMS01
//	8  8  exclusive or of the checksums: that of the database
//	16 …  the checksum of each page, 8 bytes
//	-4 4  CRC-32C of what is before

const sumsMagic = "NLSUMS01"

func (db *DB) sumsPath() string { return db.path + "-sums" }

// save keeps the checksums. A file that is torn by a power cut is not read later.
func (s *sums) save(path string) error {
	b := make([]byte, 0, 16+8*len(s.pages)+4)
	b = append(b, sumsMagic...)
	b = binary.LittleEndian.AppendUint64(b, s.total)
	for _, p := range s.pages {
		b = binary.LittleEndian.AppendUint64(b, p)
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return os.WriteFile(path, b, 0o600)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// load takes the checksums of a database of so many pages and this checksum from a
// file, which it removes. It reports false if they are not there, or others.
func (s *sums) load(path string, pages uint32, total uint64) (bool, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err := errors.Join(err, os.Remove(path)); err != nil {
		return false, fmt.Errorf("read the checksums of the pages: %w", err)
	}
	if len(b) != 16+8*int(pages)+4 || string(b[:8]) != sumsMagic || binary.LittleEndian.Uint64(b[8:]) != total {
		return false, nil
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return false, nil
	}
	s.stretch(int(pages))
	s.total = total
	for i := range s.pages {
		s.pages[i] = binary.LittleEndian.Uint64(body[16+8*i:])
	}
	return true, nil
}
