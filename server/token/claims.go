package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// Access is what somebody may do with a database. A higher one includes the lower.
type Access uint8

// The accesses.
const (
	None Access = iota
	Read
	Write
)

// String returns "ro" or "rw", as in a token, or "none".
func (a Access) String() string {
	switch a {
	case Read:
		return "ro"
	case Write:
		return "rw"
	}
	return "none"
}

// Claims are what a token says. The zero Claims with Access Write let their bearer do
// everything with every database, for ever.
type Claims struct {
	Access      Access       // a: "rw", which is also the default, or "ro"
	Database    string       // id: the only database; "" means every one
	Permissions *Permissions // p: if not nil, it alone counts, not a and id
	Expires     time.Time    // exp; zero: never
	NotBefore   time.Time    // nbf; zero: always
	IssuedAt    time.Time    // iat; not looked at
	Limits      *Limits      // lim, our own; nil: those of the server
}

// Permissions are the databases of which a token allows something. sqld knows them as
// namespaces. Whoever may attach a database may also read it.
type Permissions struct {
	Read        []string // ro
	Write       []string // rw
	ReadAttach  []string // roa
	WriteAttach []string // rwa
}

// Limits are bounds for one token. Each is on top of the server's own; 0 means that
// only the server's counts.
type Limits struct {
	Rate    float64       // rate: requests a second
	Burst   int           // burst: requests at once
	Streams int           // streams: open at a time
	Rows    int           // rows: of one result
	Bytes   int64         // bytes: of one result
	Time    time.Duration // time_ms: of one statement
}

// On returns what the token allows with a database.
func (c *Claims) On(database string) Access {
	if p := c.Permissions; p != nil {
		switch {
		case slices.Contains(p.Write, database), slices.Contains(p.WriteAttach, database):
			return Write
		case slices.Contains(p.Read, database), slices.Contains(p.ReadAttach, database):
			return Read
		}
		return None
	}
	if c.Database != "" && c.Database != database {
		return None
	}
	return c.Access
}

// Everything says whether the token is for no database in particular and may write:
// such a one may also create and delete databases.
func (c *Claims) Everything() bool {
	return c.Permissions == nil && c.Database == "" && c.Access == Write
}

// leeway is how far the clocks of who mints and who verifies may be apart; as in sqld.
const leeway = time.Minute

// valid says whether now is within the token's time.
func (c *Claims) valid(now time.Time) error {
	if !c.Expires.IsZero() && now.After(c.Expires.Add(leeway)) {
		return ErrExpired
	}
	if !c.NotBefore.IsZero() && now.Before(c.NotBefore.Add(-leeway)) {
		return ErrImmature
	}
	return nil
}

// The forms in JSON.
type (
	claimsJSON struct {
		Access      string           `json:"a,omitempty"`
		Database    string           `json:"id,omitempty"`
		Permissions *permissionsJSON `json:"p,omitempty"`
		Expires     int64            `json:"exp,omitempty"`
		NotBefore   int64            `json:"nbf,omitempty"`
		IssuedAt    int64            `json:"iat,omitempty"`
		Limits      *limitsJSON      `json:"lim,omitempty"`
	}
	permissionsJSON struct {
		Read        *scopesJSON `json:"ro,omitempty"`
		Write       *scopesJSON `json:"rw,omitempty"`
		ReadAttach  *scopesJSON `json:"roa,omitempty"`
		WriteAttach *scopesJSON `json:"rwa,omitempty"`
	}
	scopesJSON struct {
		Databases []string `json:"ns,omitempty"`
	}
	limitsJSON struct {
		Rate    float64 `json:"rate,omitempty"`
		Burst   int     `json:"burst,omitempty"`
		Streams int     `json:"streams,omitempty"`
		Rows    int     `json:"rows,omitempty"`
		Bytes   int64   `json:"bytes,omitempty"`
		TimeMS  int64   `json:"time_ms,omitempty"`
	}
)

// encode writes the claims; what is zero is left out.
func (c *Claims) encode() ([]byte, error) {
	if c.Access == None && c.Permissions == nil {
		return nil, fmt.Errorf("mint a token: it allows nothing: set Access or Permissions")
	}
	out := claimsJSON{Database: c.Database, Expires: unix(c.Expires), NotBefore: unix(c.NotBefore), IssuedAt: unix(c.IssuedAt)}
	if c.Permissions == nil {
		out.Access = c.Access.String()
	} else {
		p := c.Permissions
		out.Permissions = &permissionsJSON{scopes(p.Read), scopes(p.Write), scopes(p.ReadAttach), scopes(p.WriteAttach)}
	}
	if l := c.Limits; l != nil {
		// Rounded up: 0 would be no limit.
		out.Limits = &limitsJSON{l.Rate, l.Burst, l.Streams, l.Rows, l.Bytes, (l.Time + time.Millisecond - 1).Milliseconds()}
	}
	return json.Marshal(out)
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func scopes(databases []string) *scopesJSON {
	if databases == nil {
		return nil
	}
	return &scopesJSON{databases}
}

// decodeClaims reads claims. Unknown ones are ignored, as everywhere with JWTs, but
// not unknown limits: one that nobody keeps is none.
func decodeClaims(data []byte) (*Claims, error) {
	// A map first: encoding/json would take "A" for "a".
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	c := &Claims{Access: Write}
	for _, claim := range []struct {
		name string
		read func(json.RawMessage) error
	}{
		{"a", c.readAccess}, {"id", c.readDatabase}, {"p", c.readPermissions}, {"lim", c.readLimits},
		{"exp", readTime(&c.Expires)}, {"nbf", readTime(&c.NotBefore)}, {"iat", readTime(&c.IssuedAt)},
	} {
		raw, ok := fields[claim.name]
		if !ok || string(raw) == "null" {
			continue
		}
		if err := claim.read(raw); err != nil {
			return nil, fmt.Errorf("the claim %s: %w", claim.name, err)
		}
	}
	return c, nil
}

func (c *Claims) readAccess(raw json.RawMessage) error {
	var a string
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	switch a {
	case "rw":
		c.Access = Write
	case "ro", "roa":
		c.Access = Read
	default:
		return fmt.Errorf("%q is neither ro nor rw", a)
	}
	return nil
}

func (c *Claims) readDatabase(raw json.RawMessage) error {
	if err := json.Unmarshal(raw, &c.Database); err != nil {
		return err
	}
	if c.Database == "" {
		return fmt.Errorf("it is empty")
	}
	return nil
}

func (c *Claims) readPermissions(raw json.RawMessage) error {
	var p permissionsJSON
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	list := func(s *scopesJSON) []string {
		if s == nil {
			return nil
		}
		return s.Databases
	}
	c.Permissions = &Permissions{list(p.Read), list(p.Write), list(p.ReadAttach), list(p.WriteAttach)}
	return nil
}

func (c *Claims) readLimits(raw json.RawMessage) error {
	var l limitsJSON
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return err
	}
	if l.Rate < 0 || l.Burst < 0 || l.Streams < 0 || l.Rows < 0 || l.Bytes < 0 || l.TimeMS < 0 {
		return fmt.Errorf("a limit below zero")
	}
	const longest = math.MaxInt64 / int64(time.Millisecond)
	c.Limits = &Limits{l.Rate, l.Burst, l.Streams, l.Rows, l.Bytes, time.Duration(min(l.TimeMS, longest)) * time.Millisecond}
	return nil
}

// readTime reads seconds since 1970.
func readTime(t *time.Time) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var seconds int64
		if err := json.Unmarshal(raw, &seconds); err != nil {
			return err
		}
		const latest = 253402300799 // the end of the year 9999
		if seconds < 0 || seconds > latest {
			return fmt.Errorf("%d is no time", seconds)
		}
		*t = time.Unix(seconds, 0)
		return nil
	}
}
