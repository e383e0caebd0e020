package nearlite

import "github.com/nearlite/nearlite/crc64iso"

// sums are the checksums of all pages of a database, and of the database: the
// exclusive or of theirs. An entry of a log carries it, so that a file can be
// compared with the log it belongs to.
type sums struct {
	pages []uint64 // of page i+1; 0: there is none
	total uint64
	step  bool      // between begin and end or takeBack
	undo  []pageSum // what takeBack puts back, in the order it was replaced
	size  int       // what takeBack makes len(pages) again
}

type pageSum struct {
	number uint32
	sum    uint64
}

// begin makes what follows, up to end, one step that takeBack undoes. What is shipped
// behind the commits needs none: the next entry has the pages of one that failed.
func (s *sums) begin() { s.step, s.undo, s.size = true, s.undo[:0], len(s.pages) }

func (s *sums) end() { s.step = false }

// resize makes the database one of so many pages.
func (s *sums) resize(pages uint32) {
	for i := int(pages); i < len(s.pages); i++ {
		s.put(uint32(i)+1, 0)
	}
	s.stretch(int(pages))
}

func (s *sums) stretch(n int) {
	if n > cap(s.pages) {
		s.pages = append(make([]uint64, 0, n+n/4), s.pages...)
	}
	if n > len(s.pages) {
		clear(s.pages[len(s.pages):n])
	}
	s.pages = s.pages[:n]
}

// set takes in a page's new image. It is one of the database.
func (s *sums) set(number uint32, data []byte) {
	s.put(number, crc64iso.Page(number, data))
}

func (s *sums) put(number uint32, sum uint64) {
	p := &s.pages[number-1]
	if s.step {
		s.undo = append(s.undo, pageSum{number, *p})
	}
	s.total ^= *p ^ sum
	*p = sum
}

// takeBack undoes everything since begin.
func (s *sums) takeBack() {
	s.stretch(max(len(s.pages), s.size))
	for i := len(s.undo) - 1; i >= 0; i-- {
		u := s.undo[i]
		p := &s.pages[u.number-1]
		s.total ^= *p ^ u.sum
		*p = u.sum
	}
	s.stretch(s.size)
	s.end()
}
