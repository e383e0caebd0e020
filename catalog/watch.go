package catalog

// EachOpen gives f a handle on each database that is open now, valid until f
// returns. To be looked at in this way is no use: it keeps no database open, and is
// what figures are collected with.
func (c *Catalog) EachOpen(f func(h *Handle)) {
	c.mu.Lock()
	open := make([]*entry, 0, len(c.open))
	for e := range c.open {
		open = append(open, e)
	}
	c.mu.Unlock()
	for _, e := range open {
		if !e.tryUse() {
			continue
		}
		used := e.used.Load()
		h := &Handle{e: e, db: e.db}
		f(h)
		h.Release()
		if now := e.used.Load(); now != used && e.use.Load() == 0 {
			e.used.CompareAndSwap(now, used)
		}
	}
}
