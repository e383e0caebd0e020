package catalog

import "context"

// settle brings what the catalog knows in line with its table, after the outcome of
// a commit was not known for a while: the verb that made it has told its caller so,
// and it may have happened.
func (c *Catalog) settle(ctx context.Context) {
	live := map[ID]bool{}
	err := c.table.live(ctx, func(i Info) {
		live[i.ID] = true
		v, known := c.ids.Load(i.ID)
		if !known {
			c.found(i)
			return
		}
		e := v.(*entry)
		e.config.Store(&i.Config)
		if old := *e.name.Load(); old != i.Name {
			e.name.Store(&i.Name)
			c.names.CompareAndDelete(old, e)
			c.names.Store(i.Name, e)
		}
	})
	if err != nil {
		c.opts.Logger.Error("read the catalog again", "err", err)
		return
	}
	for e := range c.entries {
		if live[e.id] || !e.isReady() {
			continue
		}
		if state, err := c.table.state(ctx, e.id); err != nil || state != "deleted" { // it was made since
			continue
		}
		c.names.CompareAndDelete(*e.name.Load(), e)
		c.known.Add(-1)
		if err := c.bury(e); err != nil {
			c.opts.Logger.Error("remove a deleted database", "id", e.id, "err", err)
		}
	}
}

// found takes in a database that was made after all. One whose name is being used
// for another attempt is taken in by that, or by the next start.
func (c *Catalog) found(i Info) {
	e := c.newEntry(i)
	if _, taken := c.names.LoadOrStore(i.Name, e); taken {
		return
	}
	c.ids.Store(i.ID, e)
	c.known.Add(1)
}
