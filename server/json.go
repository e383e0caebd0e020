package server

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/nearlite/nearlite/hrana"
)

// appendValue writes a value as plain JSON has it; see jsonValue. With big, integers
// that a double does not hold exactly are strings.
func appendValue(dst []byte, v *hrana.Value, big bool) []byte {
	switch v.Kind {
	case hrana.Integer:
		return appendInteger(dst, v.Integer, big)
	case hrana.Float:
		return appendFloat(dst, v.Float)
	case hrana.Text:
		return appendJSONString(dst, v.Text)
	case hrana.Blob:
		return appendBlob(dst, v.Blob)
	}
	return append(dst, "null"...)
}

func appendInteger(dst []byte, n int64, big bool) []byte {
	const exact = 1 << 53
	if big && (n > exact || n < -exact) {
		dst = append(dst, '"')
		dst = strconv.AppendInt(dst, n, 10)
		return append(dst, '"')
	}
	return strconv.AppendInt(dst, n, 10)
}

// appendFloat writes a number so that it is read as a float again. JSON has no
// infinity, so that is a number too large for any double: every parser makes it
// infinite, or says that it cannot.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "1e999"...)
	case math.IsInf(f, -1):
		return append(dst, "-1e999"...)
	}
	begin := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	for _, b := range dst[begin:] {
		if b == '.' || b == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

func appendBlob(dst, blob []byte) []byte {
	dst = append(dst, `{"base64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, blob)
	return append(dst, `"}`...)
}

const hexDigits = "0123456789abcdef"

// appendJSONString quotes a text. What is no UTF-8 is replaced, since JSON has to be.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= ' ' && b != '"' && b != '\\' && b < utf8.RuneSelf {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = append(dst, s[from:i]...)
			dst = appendEscaped(dst, b)
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(append(dst, s[from:i]...), "\ufffd"...)
			i++
			from = i
			continue
		}
		i += size
	}
	return append(append(dst, s[from:]...), '"')
}

func appendEscaped(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
}
