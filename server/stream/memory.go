package stream

import "context"

// Memory is what results are taken from, so that those of all streams together have a
// bound, whatever each may have.
type Memory interface {
	// Take takes n bytes for one who has held some. With wait it may wait for others to
	// give some back; without, the writer would have to wait as well. Its error is what
	// the client is told.
	Take(ctx context.Context, n, held int64, wait bool) error
	Give(n int64)
}

const (
	// freely is what a result may take without asking.
	freely = 64 << 10
	// takenMin is how much is taken at a time, and then as much again as there is.
	takenMin = 256 << 10
	// stepSize is about what the result of a step takes that has no rows.
	stepSize = 256
)

// spend notes that the results have grown by n bytes.
func (r *runner) spend(n int) error {
	r.mem += int64(n)
	need := r.mem - r.held
	if need <= freely || r.s.opts.Memory == nil {
		return nil
	}
	need = max(need, takenMin, r.held)
	if err := r.s.opts.Memory.Take(r.ctx, need, r.held, r.mayWait); err != nil {
		return err
	}
	r.held += need
	return nil
}

// giveBack ends what was taken for results that nobody has.
func (r *runner) giveBack() {
	if r.held > 0 {
		r.s.opts.Memory.Give(r.held)
	}
	r.held, r.mem = 0, 0
}

// Owes returns how many bytes of [Options.Memory] the results of Do have taken since it
// was asked last. They are the caller's to give back, when the results are not needed
// any more. What Cursor takes it gives back itself.
func (s *Stream) Owes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.run.held
	s.run.held, s.run.mem = 0, 0
	return n
}
