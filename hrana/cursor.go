package hrana

import (
	"bytes"
	"encoding/binary"
)

// SplitCursor is a [bufio.SplitFunc] that cuts a cursor's answer into its items:
// lines of JSON, or messages of protobuf behind their lengths.
func (e Encoding) SplitCursor(data []byte, atEOF bool) (advance int, item []byte, err error) {
	if len(data) == 0 {
		return 0, nil, nil
	}
	if e == JSON {
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1, data[:i], nil
		}
		if atEOF {
			return len(data), data, nil
		}
		return 0, nil, nil
	}
	length, n := binary.Uvarint(data)
	if n > 0 && length <= uint64(len(data)-n) {
		end := n + int(length)
		return end, data[n:end:end], nil
	}
	if n < 0 || length > 1<<31-1 {
		return 0, nil, &DecodeError{Encoding: e, Reason: "an item is longer than 2 GiB"}
	}
	if atEOF {
		return 0, nil, &DecodeError{Encoding: e, Reason: "an item has no end"}
	}
	return 0, nil, nil
}
