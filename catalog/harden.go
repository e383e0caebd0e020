package catalog

import (
	"fmt"

	"github.com/nearlite/nearlite/sqlite"
)

// harden prepares a connection for clients that one need not trust, and for files
// that somebody else made. What SQL may do at all is for the engine's guard and the
// server's authorizer to say; this closes what they do not see, and bounds what one
// statement may ask of the parser. The bounds are above what any program sends
// that means well.
//
//	DEFENSIVE             no SQL corrupts the file: shadow tables, writable_schema, journal_mode=OFF
//	TRUSTED_SCHEMA off    views, triggers and defaults of a file call only harmless functions
//	load extensions off   neither by C nor by SQL
//	bounded functions     instr, replace and the like take seconds at most, not hours
//	attached 0            ATTACH fails, even where an authorizer would forget it; see ForVacuum
func harden(c *sqlite.Conn, maxValue int) error {
	for _, s := range []struct {
		what sqlite.Config
		on   bool
	}{
		{sqlite.ConfigDefensive, true},
		{sqlite.ConfigTrustedSchema, false},
		{sqlite.ConfigWritableSchema, false},
		{sqlite.ConfigLoadExtension, false},
	} {
		if err := c.SetConfig(s.what, s.on); err != nil {
			return fmt.Errorf("harden: %w", err)
		}
	}
	if err := c.BoundFunctions(); err != nil {
		return fmt.Errorf("harden: %w", err)
	}
	for _, l := range limits {
		c.Limit(l.what, l.most)
	}
	c.Limit(sqlite.LimitLength, maxValue)
	return nil
}

// limits of every connection.
var limits = []struct {
	what sqlite.Limit
	most int
}{
	{sqlite.LimitSQLLength, 8 << 20},
	{sqlite.LimitColumns, 2000},
	{sqlite.LimitExprDepth, 1000},
	{sqlite.LimitCompoundSelect, 500},
	{sqlite.LimitOperations, 10_000_000},
	{sqlite.LimitFunctionArgs, 127},
	{sqlite.LimitAttached, 0},
	{sqlite.LimitLikePatternLength, 500}, // LIKE takes time by it and by the length of the text
	{sqlite.LimitParameters, 32_766},
	{sqlite.LimitTriggerDepth, 100},
	{sqlite.LimitWorkerThreads, 0},
}

// ForVacuum lets VACUUM run on the connection of [nearlite.DB.Exclusive], which is
// opened anew afterwards: it attaches a temporary file of its own. Whoever calls it
// runs a plain VACUUM and nothing a client has written.
func ForVacuum(c *sqlite.Conn) { c.Limit(sqlite.LimitAttached, 1) }
