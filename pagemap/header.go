package pagemap

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

const (
	magic       = "NLPGMAP1"
	headerSize  = 128
	headerSpace = 4096 // two headers, at 0 and at half of it
)

// encodeHeader returns
//
//	0   8   NLPGMAP1
//	8   8   sequence number: the larger one counts
//	16  16  log id
//	32  8   change number
//	40  8   hash of the last commit
//	48  8   offset in the WAL
//	56  8   the WAL's salts
//	64  4   pages of the database
//	68  4   epoch of the log's entry
//	72  8   number of the log's entry
//	80  8   change number of the log's entry
//	88  8   sum of the log's entry
//	96  8   salts announced for the next run of the WAL
//	104 8   size of the database file, closed cleanly
//	112 8   its time of modification
//	120 4   zeros
//	124 4   CRC-32C of what is before, in little-endian order as all of it
func encodeHeader(h Head, seq uint64) []byte {
	b := append(make([]byte, 0, headerSize), magic...)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = append(b, h.Log[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.Change)
	b = binary.LittleEndian.AppendUint64(b, h.Hash)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.WAL.Offset))
	b = binary.LittleEndian.AppendUint32(b, h.WAL.Salt1)
	b = binary.LittleEndian.AppendUint32(b, h.WAL.Salt2)
	b = binary.LittleEndian.AppendUint32(b, h.Pages)
	b = binary.LittleEndian.AppendUint32(b, h.Entry.Epoch)
	b = binary.LittleEndian.AppendUint64(b, h.Entry.TXID)
	b = binary.LittleEndian.AppendUint64(b, h.Entry.Change)
	b = binary.LittleEndian.AppendUint64(b, h.Entry.Sum)
	b = binary.LittleEndian.AppendUint32(b, h.Next[0])
	b = binary.LittleEndian.AppendUint32(b, h.Next[1])
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Clean.Size))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Clean.ModTime))
	b = b[:headerSize-4]
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func decodeHeader(b []byte) (h Head, seq uint64, ok bool) {
	if len(b) != headerSize || !bytes.HasPrefix(b, []byte(magic)) {
		return Head{}, 0, false
	}
	if crc32.Checksum(b[:headerSize-4], castagnoli) != binary.LittleEndian.Uint32(b[headerSize-4:]) {
		return Head{}, 0, false
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	copy(h.Log[:], b[16:])
	h.Change = u64(32)
	h.Hash = u64(40)
	h.WAL = Place{u32(56), u32(60), int64(u64(48))}
	h.Pages = u32(64)
	h.Entry = Entry{u32(68), u64(72), u64(80), u64(88)}
	h.Next = [2]uint32{u32(96), u32(100)}
	h.Clean = Stamp{int64(u64(104)), int64(u64(112))}
	return h, u64(8), true
}
