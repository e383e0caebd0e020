//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

// The log of dm-log-writes, little-endian. It begins with a sector
//
//	 0  8  magic
//	 8  8  version, 1
//	16  8  entries
//	24  4  bytes in a sector
//
// and each entry is a sector, padded with zeros,
//
//	 0  8  first sector of the device
//	 8  8  sectors
//	16  8  flags
//	24  8  length of a mark's text, which follows here
//
// and then the sectors that were written; a discard has none. The kernel logs a
// write when it is certain to stay: with the next flush that was sent after it had
// completed, or at once when it has FUA. What had completed without a flush comes
// at the end, when the device is taken away.
const (
	logMagic      = 0x6a736677736872
	logDiscard    = 1 << 2
	logMark       = 1 << 3
	logHeadBytes  = 32
	maxSectorSize = 4096
)

// Two sectors of ext4's superblock have one checksum, and without it there is no
// mount: ext4 itself relies on a disk that never writes half of this block.
const superblockBytes = 4096

// cutMark is what the device was told at the moment of the cut: behind it in the
// log is what the disk had only in its cache.
const cutMark = "cut"

// A logged write, or mark.
type logged struct {
	at    int64 // bytes
	size  int64
	flags uint64
	mark  string
	data  int64 // where in the log
}

// readLog returns the entries of a log.
func readLog(log io.ReaderAt) (entries []logged, sector int64, err error) {
	head := make([]byte, maxSectorSize)
	if _, err := log.ReadAt(head[:logHeadBytes], 0); err != nil {
		return nil, 0, fmt.Errorf("read the log of writes: %w", err)
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(head[8*i:]) }
	if word(0) != logMagic || word(1) != 1 {
		return nil, 0, fmt.Errorf("the log of writes begins with %#x, version %d", word(0), word(1))
	}
	count := word(2)
	sector = int64(binary.LittleEndian.Uint32(head[24:]))
	if sector < 512 || sector > maxSectorSize {
		return nil, 0, fmt.Errorf("the log of writes has sectors of %d bytes", sector)
	}
	at := sector
	for range count {
		if _, err := log.ReadAt(head[:sector], at); err != nil {
			return nil, 0, fmt.Errorf("read the log of writes at %d: %w", at, err)
		}
		at += sector
		e := logged{at: int64(word(0)) * sector, size: int64(word(1)) * sector, flags: word(2), data: at}
		switch {
		case e.flags&logMark != 0:
			text := head[logHeadBytes:sector]
			e.mark = string(bytes.TrimRight(text[:min(word(3), uint64(len(text)))], "\x00"))
		case e.flags&logDiscard == 0:
			at += e.size
		}
		entries = append(entries, e)
	}
	return entries, sector, nil
}

// replay writes to the image what a disk with a volatile cache would have kept:
// everything up to the mark, and of the rest each sector with a chance that is a
// chance itself, from nothing to all.
func replay(log io.ReaderAt, image io.WriterAt, rng *rand.Rand) error {
	entries, sector, err := readLog(log)
	if err != nil {
		return err
	}
	chance := float64(rng.IntN(5)) / 4
	volatile, keep := false, true
	for _, e := range entries {
		switch {
		case e.mark == cutMark:
			volatile = true
			continue
		case e.flags&(logMark|logDiscard) != 0:
			continue // what a discarded sector holds is anybody's guess: what it was
		}
		data := make([]byte, e.size)
		if _, err := log.ReadAt(data, e.data); err != nil {
			return fmt.Errorf("read a logged write: %w", err)
		}
		for from := int64(0); from < e.size; from += sector {
			if volatile && (from == 0 || e.at+from >= superblockBytes) {
				keep = rng.Float64() < chance
			}
			if !keep {
				continue
			}
			if _, err := image.WriteAt(data[from:from+sector], e.at+from); err != nil {
				return fmt.Errorf("write the image: %w", err)
			}
		}
	}
	if !volatile {
		return fmt.Errorf("the log of writes has %d entries and no mark: it is full", len(entries))
	}
	return nil
}
