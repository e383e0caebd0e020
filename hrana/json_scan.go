package hrana

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// scanner walks over JSON. After the first error it stands still at the end of its
// input, so callers look at err once, when they are done.
type scanner struct {
	data  []byte
	pos   int
	depth int
	parts int
	err   *DecodeError
}

func decodeJSON[T any](data []byte, m *T, read func(*scanner, *T)) (*T, error) {
	s := scanner{data: data}
	read(&s, m)
	if s.space(); s.err == nil && s.pos < len(s.data) {
		s.fail("something follows the message")
	}
	if s.err != nil {
		return nil, s.err
	}
	return m, nil
}

func (s *scanner) fail(reason string) {
	if s.err == nil {
		s.err = &DecodeError{Encoding: JSON, Offset: s.pos, Reason: reason}
	}
	s.pos = len(s.data)
}

// failNot says what was expected at this place.
func (s *scanner) failNot(expected string) {
	if s.pos >= len(s.data) {
		s.fail("it ends where " + expected + " belongs")
		return
	}
	s.fail("expected " + expected)
}

// unknown says that the type of an object is none of those it can be.
func (s *scanner) unknown(what string, name []byte) {
	const longest = 40
	if len(name) > longest {
		name = name[:longest]
	}
	s.fail("the type of " + what + ", " + strconv.Quote(string(name)) + ", is unknown")
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\n', '\t', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is no white space; 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// take moves over c if it is next.
func (s *scanner) take(c byte) bool {
	if s.peek() == c && c != 0 {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) word(word string) bool {
	s.space()
	if rest := s.data[s.pos:]; len(rest) >= len(word) && string(rest[:len(word)]) == word {
		s.pos += len(word)
		return true
	}
	return false
}

// null moves over a null if it is next.
func (s *scanner) null() bool { return s.peek() == 'n' && s.word("null") }

func (s *scanner) enter() bool {
	if s.depth++; s.depth > maxDepth {
		s.fail("it nests deeper than " + strconv.Itoa(maxDepth))
		return false
	}
	return true
}

// object calls field for each field; field has to move over the value.
func (s *scanner) object(what string, field func(key []byte)) {
	if !s.take('{') {
		s.failNot(what)
		return
	}
	if !s.enter() {
		return
	}
	for more := !s.take('}'); more && s.err == nil; {
		key := s.stringBytes("the name of a field of " + what)
		if !s.take(':') {
			s.failNot("a colon")
			return
		}
		field(key)
		if more = s.take(','); !more && !s.take('}') {
			s.failNot("a comma or the end of " + what)
		}
	}
	s.depth--
}

// array calls element in front of each element.
func (s *scanner) array(what string, element func()) {
	if !s.take('[') {
		s.failNot(what)
		return
	}
	if !s.enter() {
		return
	}
	for more := !s.take(']'); more && s.err == nil; {
		if s.parts++; s.parts > maxParts {
			s.fail("it has more than " + strconv.Itoa(maxParts) + " parts")
			return
		}
		element()
		if more = s.take(','); !more && !s.take(']') {
			s.failNot("a comma or the end of " + what)
		}
	}
	s.depth--
}

// skip moves over a value of any kind.
func (s *scanner) skip() {
	switch c := s.peek(); c {
	case '{':
		s.object("an object", func([]byte) { s.skip() })
	case '[':
		s.array("an array", s.skip)
	case '"':
		s.skipString()
	case 't', 'f', 'n':
		if !s.word("true") && !s.word("false") && !s.word("null") {
			s.failNot("a value")
		}
	default:
		s.number("a value")
	}
}

// skipString moves over a string; raw is what stands between its quotes.
func (s *scanner) skipString() (raw []byte, escaped, ascii bool) {
	if !s.take('"') {
		s.failNot("a string")
		return nil, false, false
	}
	start := s.pos
	ascii = true
	for {
		s.pos += plain(s.data[s.pos:])
		if s.pos >= len(s.data) {
			s.fail("a string has no end")
			return nil, false, false
		}
		switch c := s.data[s.pos]; {
		case c == '"':
			raw = s.data[start:s.pos]
			s.pos++
			if !ascii && !utf8.Valid(raw) {
				s.fail("a string is not UTF-8")
				return nil, false, false
			}
			return raw, escaped, ascii
		case c == '\\':
			escaped = true
			s.pos += 2
			if s.pos > len(s.data) {
				s.pos = len(s.data)
			}
		case c >= utf8.RuneSelf:
			ascii = false
			s.pos++
		default:
			s.fail("a control character in a string")
			return nil, false, false
		}
	}
}

// stringBytes reads a string; the result may be part of the input.
func (s *scanner) stringBytes(what string) []byte {
	if s.peek() != '"' {
		s.failNot(what)
		return nil
	}
	start := s.pos
	raw, escaped, _ := s.skipString()
	if !escaped || s.err != nil {
		return raw
	}
	text, ok := unescape(make([]byte, 0, len(raw)), raw)
	if !ok {
		s.pos = start
		s.fail("a string has a wrong escape")
	}
	return text
}

func (s *scanner) string(what string) string { return string(s.stringBytes(what)) }

func (s *scanner) optString(what string) *string {
	if s.null() {
		return nil
	}
	text := s.string(what)
	return &text
}

// unescape appends raw with its escapes replaced. A surrogate without its partner
// is an error: no text of a database can hold it.
func unescape(dst, raw []byte) ([]byte, bool) {
	for len(raw) > 0 {
		n := 0
		for n < len(raw) && raw[n] != '\\' {
			n++
		}
		dst = append(dst, raw[:n]...)
		if raw = raw[n:]; len(raw) == 0 {
			return dst, true
		}
		if len(raw) < 2 {
			return nil, false
		}
		switch c := raw[1]; c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := hexRune(raw)
			if ok && utf16.IsSurrogate(r) {
				low, paired := hexRune(raw[6:])
				r = utf16.DecodeRune(r, low)
				if ok = paired && r != utf8.RuneError; ok {
					raw = raw[6:]
				}
			}
			if !ok {
				return nil, false
			}
			dst = utf8.AppendRune(dst, r)
			raw = raw[4:]
		default:
			return nil, false
		}
		raw = raw[2:]
	}
	return dst, true
}

// hexRune reads \uXXXX.
func hexRune(raw []byte) (rune, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range raw[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number moves over a number and returns its bytes.
func (s *scanner) number(what string) []byte {
	s.space()
	start := s.pos
	digits := func() int {
		from := s.pos
		for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
			s.pos++
		}
		return s.pos - from
	}
	next := func(c byte) bool {
		if s.pos < len(s.data) && s.data[s.pos] == c {
			s.pos++
			return true
		}
		return false
	}
	next('-')
	first := s.pos
	ok := digits() > 0 && (s.data[first] != '0' || s.pos == first+1)
	if ok && next('.') {
		ok = digits() > 0
	}
	if ok && (next('e') || next('E')) {
		_ = next('+') || next('-')
		ok = digits() > 0
	}
	if !ok {
		s.pos = start
		s.failNot(what)
		return nil
	}
	return s.data[start:s.pos]
}

func (s *scanner) float(what string) float64 {
	start := s.pos
	token := s.number(what)
	f, err := strconv.ParseFloat(alias(token), 64)
	if err != nil && s.err == nil && !math.IsInf(f, 0) {
		s.pos = start
		s.fail("expected " + what)
	}
	return f
}

// integer reads a number between lowest and highest, as a number or as a string.
func (s *scanner) integer(what string, lowest, highest int64) int64 {
	start := s.pos
	token := s.numeral(what)
	n, err := strconv.ParseInt(alias(token), 10, 64)
	if s.err == nil && (err != nil || n < lowest || n > highest) {
		s.pos = start
		s.fail("expected " + what + " between " + strconv.FormatInt(lowest, 10) + " and " + strconv.FormatInt(highest, 10))
	}
	return n
}

func (s *scanner) unsigned(what string) uint64 {
	start := s.pos
	token := s.numeral(what)
	n, err := strconv.ParseUint(alias(token), 10, 64)
	if s.err == nil && err != nil {
		s.pos = start
		s.fail("expected " + what + ", a whole number below 2^64")
	}
	return n
}

func (s *scanner) numeral(what string) []byte {
	if s.peek() == '"' {
		return s.stringBytes(what)
	}
	return s.number(what)
}

func (s *scanner) int32(what string) int32 {
	return int32(s.integer(what, math.MinInt32, math.MaxInt32))
}

func (s *scanner) uint32(what string) uint32 { return uint32(s.integer(what, 0, math.MaxUint32)) }

func (s *scanner) optInt32(what string) *int32 {
	if s.null() {
		return nil
	}
	n := s.int32(what)
	return &n
}

func (s *scanner) optInt64(what string) *int64 {
	if s.null() {
		return nil
	}
	n := s.integer(what, math.MinInt64, math.MaxInt64)
	return &n
}

func (s *scanner) optUint64(what string) *uint64 {
	if s.null() {
		return nil
	}
	n := s.unsigned(what)
	return &n
}

func (s *scanner) bool(what string) bool {
	if s.peek() == 't' && s.word("true") {
		return true
	}
	if !s.word("false") {
		s.failNot(what)
	}
	return false
}

// base64 reads base64 with or without padding.
func (s *scanner) base64(what string) []byte {
	start := s.pos
	text := s.stringBytes(what)
	for range 2 {
		if n := len(text); n > 0 && text[n-1] == '=' {
			text = text[:n-1]
		}
	}
	blob := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, err := base64.RawStdEncoding.Decode(blob, text)
	if err != nil && s.err == nil {
		s.pos = start
		s.fail("the base64 of a blob is wrong")
	}
	return blob[:n]
}

// alias is a string over the same bytes, for functions that do not keep it.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// plain returns how many bytes at the beginning are ASCII and need no escape.
func plain[T ~string | ~[]byte](s T) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := binary.LittleEndian.Uint64([]byte(s[i : i+8]))
		quote, slash := x^ones*'"', x^ones*'\\'
		stop := (x | (quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x) & highs
		if stop != 0 {
			break
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}
