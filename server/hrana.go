package server

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/server/stream"
)

func (c *call) pipelineV2() error       { return c.pipeline(hrana.JSON, hrana.V2) }
func (c *call) pipelineV3() error       { return c.pipeline(hrana.JSON, hrana.V3) }
func (c *call) pipelineProtobuf() error { return c.pipeline(hrana.Protobuf, hrana.V3) }
func (c *call) cursorJSON() error       { return c.cursor(hrana.JSON) }
func (c *call) cursorProtobuf() error   { return c.cursor(hrana.Protobuf) }

// answerMax bounds one answer to a pipeline. Each of its requests has the bound of
// the caller's limits; there may be many.
const answerMax = 32 << 20

// pipeline runs the requests of one stream, one after the other, and answers them
// together.
func (c *call) pipeline(enc hrana.Encoding, version hrana.Version) error {
	b, err := c.s.readBody(c)
	if err != nil {
		return err
	}
	defer b.release()
	m, err := enc.DecodePipelineRequest(b.bytes())
	if err != nil {
		return undecoded(enc, err)
	}
	if err := supported(m.Requests, version); err != nil {
		return err
	}
	w, err := c.openSession(m.Baton)
	if err != nil {
		return err
	}
	defer w.end()
	answer := hrana.PipelineResponse{Results: make([]hrana.StreamResult, 0, len(m.Requests))}
	if c.s.opts.BaseURL != "" {
		answer.BaseURL = &c.s.opts.BaseURL
	}
	for i := range m.Requests {
		result, err := w.do(&m.Requests[i])
		if err != nil {
			return err
		}
		answer.Results = append(answer.Results, result)
	}
	if answer.Baton, err = w.park(); err != nil {
		return err
	}
	w.send(enc, &answer)
	return nil
}

// send writes the answer. The results are given back before the client has to read.
func (w *worker) send(enc hrana.Encoding, answer *hrana.PipelineResponse) {
	buf := takeBuffer()
	defer func() { giveBuffer(buf) }()
	if w.size > small {
		w.c.s.memory.owe(w.size)
		n := w.size
		w.gives = append(w.gives, func() { w.c.s.memory.give(n) })
		*buf = slices.Grow(*buf, int(w.size))
	}
	*buf = enc.AppendPipelineResponse(*buf, answer)
	answer.Results = nil
	w.giveBack()
	contentType := typeJSON
	if enc == hrana.Protobuf {
		contentType = typeProtobuf
	}
	w.c.send(contentType, *buf, 0)
}

// giveBack gives the memory for results back.
func (w *worker) giveBack() {
	for _, give := range w.gives {
		give()
	}
	w.gives = nil
}

func undecoded(enc hrana.Encoding, err error) error {
	form := "JSON"
	if enc == hrana.Protobuf {
		form = "Protobuf"
	}
	return protocolError("Cannot deserialize client message from %s: %w", form, err)
}

// supported refuses what a version of the protocol does not have yet, in sqld's words.
func supported(requests []hrana.Request, version hrana.Version) error {
	for i := range requests {
		r := &requests[i]
		if since := r.Kind.Since(); since > version {
			return protocolError("The `%s` request is only supported in protocol version hrana%d and higher", r.Kind, since)
		}
		if r.Batch == nil || version >= hrana.V3 {
			continue
		}
		for j := range r.Batch.Steps {
			if asksAutocommit(r.Batch.Steps[j].Condition) {
				return protocolError("BatchCond of type `is_autocommit` is only supported in protocol version hrana%d and higher", hrana.V3)
			}
		}
	}
	return nil
}

func asksAutocommit(cond *hrana.BatchCond) bool {
	if cond == nil {
		return false
	}
	for i := range cond.Conds {
		if asksAutocommit(&cond.Conds[i]) {
			return true
		}
	}
	return cond.Kind == hrana.CondIsAutocommit
}

// A worker is a request at work on its session.
type worker struct {
	c       *call
	session *session // nil once it was closed or parked
	lost    *hrana.Error
	working bool     // it is counted in figures.working
	gives   []func() // give back what was taken for results
	size    int64    // of the results
}

// openSession returns the session of a baton, or a new one.
func (c *call) openSession(text *string) (*worker, error) {
	if text != nil {
		return c.resume(*text)
	}
	if c.s.draining.Load() {
		return nil, errDraining
	}
	if err := c.acquire(); err != nil {
		return nil, err
	}
	return &worker{c: c, session: c.newSession()}, nil
}

// resume goes on with the session of a baton. The baton knows the database, even
// if that has got another name since.
func (c *call) resume(text string) (*worker, error) {
	b, err := c.s.sealer.open(text)
	if err != nil {
		return nil, err
	}
	if b.caller != c.caller.id {
		return nil, errBatonInvalid
	}
	if c.s.draining.Load() && !b.busy {
		return nil, errDraining
	}
	w := &worker{c: c}
	if w.session, err = c.s.streams.take(b); err != nil {
		return nil, err
	}
	if w.session == nil {
		err = c.reopen(w, b)
	} else {
		err = c.again(w.session)
	}
	if err != nil {
		w.end()
		return nil, err
	}
	if w.session.busy {
		w.working = true
		c.s.figures.working.Add(1)
	}
	return w, nil
}

// again lets a session do what its caller may do now: the database may have got
// another name, or another configuration, since the last request.
func (c *call) again(s *session) error {
	if err := c.caller.mayRead(s.handle.Name()); err != nil {
		return err
	}
	s.stream.SetOptions(c.streamOptions(s.handle))
	return nil
}

// reopen makes the session anew that a baton without a transaction is of.
func (c *call) reopen(w *worker, b *baton) (err error) {
	if c.handle, err = c.s.cat.AcquireID(c.r.Context(), b.database); err != nil {
		return err
	}
	if err := c.caller.mayRead(c.handle.Name()); err != nil {
		return err
	}
	w.session = c.newSession()
	w.session.id, w.session.seq = b.stream, b.seq
	w.session.stream.Restore(b.stored)
	return nil
}

// newSession returns a session of a new stream. The call's hold on the database is
// its own from then on.
func (c *call) newSession() *session {
	h := c.handle
	c.handle = nil
	return &session{caller: c.caller, handle: h, stream: stream.New(h.DB(), c.streamOptions(h))}
}

// do does one request. The error is one that ends the stream.
func (w *worker) do(req *hrana.Request) (hrana.StreamResult, error) {
	if w.session == nil {
		return hrana.StreamResult{}, errStreamClosed
	}
	if req.Kind == hrana.Close {
		w.close()
		return hrana.StreamResult{OK: closed}, nil
	}
	if w.lost != nil {
		return hrana.StreamResult{Error: w.lost}, nil
	}
	res, herr := w.session.stream.Do(w.c.r.Context(), req)
	if give := w.session.stream.Owes(); give != nil {
		w.gives = append(w.gives, give)
	}
	// What follows was meant for the transaction, not to be committed alone.
	w.lost = w.session.stream.Lost()
	if herr != nil {
		return hrana.StreamResult{Error: herr}, fatal(herr)
	}
	if herr := w.count(res); herr != nil {
		w.lost = herr // and what follows is not even begun
		if writes(res) {
			herr = &hrana.Error{Code: herr.Code, Message: herr.Message + ". What this request writes is done all the same"}
		}
		return hrana.StreamResult{Error: herr}, nil
	}
	return hrana.StreamResult{OK: res}, nil
}

var (
	closed          = &hrana.Response{Kind: hrana.Close}
	errStreamClosed = protocolError("Stream for this baton was closed")
)

// fatal returns the failure of the whole request for an error that no correct
// client causes, or that sqld answers with a status.
func fatal(herr *hrana.Error) error {
	switch herr.Code {
	case stream.CodeProtocol:
		return protocolFailure(herr)
	case stream.CodeForbidden:
		return &failure{status: http.StatusForbidden, code: herr.Code, message: herr.Message}
	}
	return nil
}

// count bounds the answer to a pipeline; for large results the stream has taken memory.
// Its error takes the place of the result: what came before is done, and the client has to know.
func (w *worker) count(res *hrana.Response) *hrana.Error {
	if w.size += sizeOf(res); w.size > answerMax {
		return &hrana.Error{Code: "RESPONSE_TOO_LARGE", Message: fmt.Sprintf("The answer to the pipeline would be larger than %d bytes: ask for less at a time", answerMax)}
	}
	return nil
}

// writes says whether a response is of a request that has written rows: done, it must
// not be answered by an error that asks for another try.
func writes(res *hrana.Response) bool {
	if r := res.Result; r != nil && r.RowsWritten > 0 {
		return true
	}
	if res.Batch != nil {
		for _, r := range res.Batch.StepResults {
			if r != nil && r.RowsWritten > 0 {
				return true
			}
		}
	}
	return false
}

// close ends the stream for good.
func (w *worker) close() {
	s := w.session
	w.session = nil
	w.rest()
	w.c.s.streams.forget(s)
	s.end()
}

// rest is the end of work in a transaction.
func (w *worker) rest() {
	if w.working {
		w.working = false
		w.c.s.figures.working.Add(-1)
	}
}

// park keeps the session for the next request and returns its baton; nil if it
// was closed.
func (w *worker) park() (*string, error) {
	s := w.session
	if s == nil {
		return nil, nil
	}
	s.busy = !s.stream.Idle()
	if err := w.abandoned(); err != nil {
		return nil, err
	}
	if err := w.c.s.streams.park(s, time.Now()); err != nil {
		return nil, err
	}
	w.session = nil
	w.rest()
	return w.c.s.baton(s), nil
}

// abandoned returns an error if the session is in a transaction and its client has gone
// before it was answered: it would be kept from the others for nothing.
func (w *worker) abandoned() error {
	if !w.session.busy {
		return nil
	}
	return w.c.r.Context().Err()
}

// parkAnnounced is park for a session whose client has a baton already.
func (w *worker) parkAnnounced() error {
	s := w.session
	// A baton that says busy is good only while the session is here.
	s.busy = s.busy || !s.stream.Idle()
	if err := w.abandoned(); err != nil {
		return err
	}
	if err := w.c.s.streams.park(s, time.Now()); err != nil {
		return err
	}
	w.session = nil
	w.rest()
	return nil
}

// baton returns what brings a client back to a session.
func (s *Server) baton(of *session) *string {
	b := &baton{stream: of.id, seq: of.seq + 1, caller: of.caller.id, database: of.handle.ID(), busy: of.busy}
	if !of.busy {
		b.stored = of.stream.Stored()
	}
	text := s.sealer.seal(b)
	return &text
}

// end ends the session of a request that has failed, and gives back what it took.
func (w *worker) end() {
	if w.session != nil {
		w.close()
	}
	w.giveBack()
}

// sizeOf estimates the memory of a response from what it holds.
func sizeOf(res *hrana.Response) (n int64) {
	const bare = 128 // what a result takes at least
	n = bare
	if res.Result != nil {
		n += sizeOfRows(res.Result.Rows)
	}
	if res.Batch != nil {
		for _, r := range res.Batch.StepResults {
			if n += bare; r != nil {
				n += sizeOfRows(r.Rows)
			}
		}
	}
	return n
}

func sizeOfRows(rows [][]hrana.Value) (n int64) {
	const value = 72 // bytes of a hrana.Value
	for _, row := range rows {
		n += value * int64(len(row))
		for i := range row {
			n += int64(len(row[i].Text) + len(row[i].Blob))
		}
	}
	return n
}
