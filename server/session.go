package server

import (
	"errors"
	"net/http"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/stream"
	"github.com/nearlite/nearlite/sqlite"
)

// streamOptions returns what a stream of this caller may do on a database.
func (s *Server) streamOptions(caller *caller, h *catalog.Handle) stream.Options {
	cfg := h.Config()
	db := s.databases.of(s, h.ID())
	return stream.Options{
		ReadOnly:           !caller.mayWrite(h.Name()),
		BlockReads:         cfg.BlockReads,
		BlockWrites:        cfg.BlockWrites,
		BlockReason:        cfg.BlockReason,
		MaxRows:            caller.limits.Rows,
		MaxBytes:           int(caller.limits.Bytes),
		StatementTimeout:   caller.limits.Time,
		QueueTimeout:       s.opts.QueueTime,
		TransactionTimeout: s.opts.TransactionTime,
		Memory:             results{s},
		OnStatement:        db.onStatement,
		Classes:            db.classes,
	}
}

// streamOptions returns what a stream of the call's caller may do.
func (c *call) streamOptions(h *catalog.Handle) stream.Options { return c.s.streamOptions(c.caller, h) }

// unblocked refuses to read a database that an operator has blocked.
func (c *call) unblocked() error {
	cfg := c.handle.Config()
	if !cfg.BlockReads {
		return nil
	}
	message := "Operation was blocked"
	if cfg.BlockReason != "" {
		message += ": " + cfg.BlockReason
	}
	return &failure{status: http.StatusForbidden, code: "BLOCKED", message: message}
}

// cursor runs a batch and streams what comes of it.
func (c *call) cursor(enc hrana.Encoding) error {
	b, err := c.s.readBody(c)
	if err != nil {
		return err
	}
	defer b.release()
	m, err := enc.DecodeCursorRequest(b.bytes())
	if err != nil {
		return undecoded(enc, err)
	}
	w, err := c.openSession(m.Baton)
	if err != nil {
		return err
	}
	defer w.end()
	out := &cursorWriter{w: w, enc: enc, buf: takeBuffer()}
	defer func() { giveBuffer(out.buf) }()
	// Whether a transaction is open afterwards is not known when the answer begins.
	// A baton that says so wrongly keeps the session a minute longer at most.
	out.mayBegin = w.session.busy || begins(&m.Batch)
	if err := w.session.stream.Cursor(c.r.Context(), &m.Batch, out.entry); err != nil && !errors.Is(err, errUnheard) {
		return err
	}
	return out.finish()
}

// begins reports whether a batch might leave a transaction open.
func begins(b *hrana.Batch) bool {
	for i := range b.Steps {
		sql := b.Steps[i].Stmt.SQL
		if sql == nil {
			return true // a stored text
		}
		switch sqlite.Verb(*sql) {
		case "BEGIN", "SAVEPOINT", "PRAGMA": // foreign_keys, which the stream keeps
			return true
		}
	}
	return false
}

// A cursorWriter writes the entries of a cursor. Few of them are one answer with
// its length; many are sent as they come.
type cursorWriter struct {
	w        *worker
	enc      hrana.Encoding
	buf      *[]byte
	mayBegin bool
	begun    bool // the head is sent
}

// cursorPiece is how much is collected before it is sent.
const cursorPiece = 32 << 10

// errUnheard ends a cursor whose client has gone.
var errUnheard = errors.New("the client has gone")

func (o *cursorWriter) entry(e *hrana.CursorEntry) error {
	if *o.buf = o.enc.AppendCursorEntry(*o.buf, e); len(*o.buf) < cursorPiece {
		return nil
	}
	return o.flush()
}

func (o *cursorWriter) contentType() []string {
	if o.enc == hrana.Protobuf {
		return typeStream
	}
	return typeText
}

// flush sends what is collected, and before the first piece the head.
func (o *cursorWriter) flush() error {
	if !o.begun {
		o.begun = true
		s := o.w.session
		s.busy = o.mayBegin
		o.w.c.s.streams.announce(s)
		o.w.c.w.Header()["Content-Type"] = o.contentType()
		if _, err := o.w.c.w.Write(o.head(o.w.c.s.baton(s))); err != nil {
			return errUnheard
		}
	}
	_, err := o.w.c.w.Write(*o.buf)
	if *o.buf = (*o.buf)[:0]; err != nil {
		return errUnheard
	}
	return nil
}

func (o *cursorWriter) head(baton *string) []byte {
	m := hrana.CursorResponse{Baton: baton}
	if o.w.c.s.opts.BaseURL != "" {
		m.BaseURL = &o.w.c.s.opts.BaseURL
	}
	return o.enc.AppendCursorResponse(nil, &m)
}

// finish sends the rest.
func (o *cursorWriter) finish() error {
	if o.begun {
		if err := o.w.parkAnnounced(); err != nil {
			return nil // the answer says otherwise already; the baton will be refused
		}
		_ = o.flush()
		return nil
	}
	baton, err := o.w.park()
	if err != nil {
		return err
	}
	_ = send(o.w.c.w, http.StatusOK, o.contentType(), append(o.head(baton), *o.buf...))
	return nil
}
