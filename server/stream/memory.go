package stream

import "context"

// Memory is what results are taken from, so that those of all streams together have a
// bound, whatever each may have.
type Memory interface {
	// Take takes n bytes until give is called. A result takes [Middling] first, and when
	// that is not enough all that it may have, once. With wait it may wait for others to
	// give some back; without, the writer would have to wait as well. Its error is what
	// the client is told.
	Take(ctx context.Context, n int64, wait bool) (give func(), err error)
}

const (
	// freely is what a result may take without asking.
	freely = 64 << 10
	// Middling is the most that a result of middling size takes.
	Middling = 1 << 20
	// stepSize is about what the result of a step takes that has no rows.
	stepSize = 256
)

// spend notes that the results have grown by n bytes.
func (r *runner) spend(n int) error {
	r.mem += int64(n)
	if r.mem <= max(r.held, freely) || r.s.opts.Memory == nil {
		return nil
	}
	need := int64(Middling)
	if r.held > 0 || r.mem > need {
		need = max(int64(2*r.s.opts.MaxBytes), r.mem, Middling+1)
	}
	give, err := r.s.opts.Memory.Take(r.ctx, need, r.mayWait)
	if err != nil {
		return err
	}
	r.held += need
	r.gives = append(r.gives, give)
	return nil
}

// giveBack ends what was taken for results that nobody has.
func (r *runner) giveBack() {
	for _, give := range r.gives {
		give()
	}
	r.held, r.mem, r.gives = 0, 0, nil
}

// Owes returns what the results of Do have taken of [Options.Memory] since it was asked
// last, nil if nothing. The caller calls it when the results are not needed any more.
// What Cursor takes it gives back itself.
func (s *Stream) Owes() (give func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gives := s.run.gives
	s.run.held, s.run.mem, s.run.gives = 0, 0, nil
	if len(gives) == 0 {
		return nil
	}
	return func() {
		for _, give := range gives {
			give()
		}
	}
}
