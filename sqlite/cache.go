package sqlite

// #include "port.h"
import "C"

import (
	"slices"
	"unsafe"
)

// DefaultCacheStatements is how many prepared statements a connection keeps.
const DefaultCacheStatements = 256

// A prepared statement takes ten to fifty times as much memory as its text, and there
// may be hundreds of connections.
const (
	// cachedText bounds the texts of the statements that are kept, in bytes.
	cachedText = 512 << 10
	// largeText is the size from which on a text is not kept for the next time.
	largeText = 32 << 10
	// largeStays is how many others are prepared before a large one is freed: whoever
	// has it may prepare something else before he runs it.
	largeStays = 4
)

// Prepare returns the statement for one piece of SQL, from the connection's
// cache if it is there and not in use. The connection owns the statement: it
// stays prepared until the cache (of [DefaultCacheStatements]) needs its place,
// so fetch it anew for each use instead of keeping it.
func (c *Conn) Prepare(sql string) (*Stmt, error) {
	if s := c.Prepared(sql); s != nil {
		return s, nil
	}
	return c.prepareCached(sql)
}

// Prepared returns the statement if it is in the connection's cache and not in
// use, else nil.
func (c *Conn) Prepared(sql string) *Stmt {
	// The same string constant comes again and again, and is told by its address
	// in a fraction of the time its hash takes.
	at := unsafe.StringData(sql)
	recent := &c.recent[(uintptr(unsafe.Pointer(at))>>3)%uintptr(len(c.recent))]
	s := *recent
	if s == nil || unsafe.StringData(s.sql) != at || len(s.sql) != len(sql) || !s.cached {
		if s = c.stmts[sql]; s == nil {
			return nil
		}
		if unsafe.StringData(s.sql) == at {
			*recent = s
		}
	}
	if s.inUse() {
		return nil
	}
	s.used = true
	return s
}

func (c *Conn) prepareCached(sql string) (*Stmt, error) {
	s, tail, err := c.prepare(sql, C.SQLITE_PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	if tail != "" && !onlyComments(tail) {
		s.free()
		return nil, &Error{Code: CodeError, Msg: "more than one statement where one is expected", SQL: sql, Offset: len(sql) - len(tail)}
	}
	c.freeOrphans()
	if old := c.stmts[sql]; old != nil { // in use: this one takes its place
		old.cached = false
		c.orphans = append(c.orphans, old)
		c.forget(old)
	}
	if len(sql) >= largeText {
		c.dropLarge()
		c.large, c.largeAge = s, 0
		return s, nil
	}
	if c.largeAge++; c.largeAge > largeStays {
		c.dropLarge()
	}
	c.evict(len(sql))
	s.cached, s.used = true, true
	c.stmts[s.sql], c.latest = s, s
	c.stmtsText += len(s.sql)
	return s, nil
}

// dropLarge lets the large statement be freed when it has ended.
func (c *Conn) dropLarge() {
	if c.large != nil {
		c.orphans = append(c.orphans, c.large)
		c.large = nil
	}
}

// forget takes a statement out of the cache.
func (c *Conn) forget(s *Stmt) {
	delete(c.stmts, s.sql)
	c.stmtsText -= len(s.sql)
}

func (c *Conn) hasRoom(size int) bool {
	return len(c.stmts) < c.stmtsMax && c.stmtsText+size <= cachedText
}

// evict makes room for one statement with a text of that size. Those used since the
// last look stay, and the one prepared last, which may be about to run.
func (c *Conn) evict(size int) {
	for !c.hasRoom(size) {
		evicted := false
		for _, s := range c.stmts {
			if s.inUse() || s == c.latest {
				continue
			}
			if s.used {
				s.used = false
				continue
			}
			c.forget(s)
			s.retire()
			evicted = true
			if c.hasRoom(size) {
				return
			}
		}
		if !evicted && c.allOpen() {
			return
		}
	}
}

// retire frees a statement of the cache. Rows that point to it may still be asked
// for their columns' names.
func (s *Stmt) retire() {
	if s.prepared == 0 {
		s.Columns()
	}
	s.cached = false
	s.free()
}

// freeOrphans frees the statements that were replaced and have ended since.
func (c *Conn) freeOrphans() {
	c.orphans = slices.DeleteFunc(c.orphans, func(s *Stmt) bool {
		if s.inUse() {
			return false
		}
		s.free()
		return true
	})
}

func (c *Conn) allOpen() bool {
	for _, s := range c.stmts {
		if !s.inUse() && s != c.latest {
			return false
		}
	}
	return true
}
