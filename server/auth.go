package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/server/token"
)

// A tokenID stands for a token where the token itself has no business: half of its
// SHA-256. The zero one is of callers without a token.
type tokenID [16]byte

// A caller is the bearer of one token, or, on a server that asks for none, everybody.
type caller struct {
	id      tokenID
	claims  *token.Claims // nil: everything is allowed
	limits  Limits
	bucket  *bucket
	streams atomic.Int64  // open transactions over HTTP, and streams over WebSockets
	backups chan struct{} // a place for each that is made for it or sent to it
}

func newCaller(id tokenID, claims *token.Claims, limits Limits) *caller {
	return &caller{
		id: id, claims: claims, limits: limits, bucket: newBucket(limits.Rate, limits.Burst, time.Now()),
		backups: make(chan struct{}, backupsMax),
	}
}

// callers are those who came lately, so that what they may ask for is counted.
type callers struct {
	keys     *token.Keys
	limits   Limits
	everyone *caller // where nobody is asked for a token

	mu           sync.Mutex // protects the following
	fresh, stale map[tokenID]*caller
}

// callersMax is how many tokens are remembered at least. Only those that a key has
// signed are.
const callersMax = 10_000

func newCallers(keys *token.Keys, limits Limits) *callers {
	return &callers{
		keys: keys, limits: limits, fresh: map[tokenID]*caller{},
		everyone: newCaller(tokenID{}, nil, limits),
	}
}

// of returns who sent a request.
func (cs *callers) of(r *http.Request) (*caller, error) {
	if cs.keys == nil {
		return cs.everyone, nil
	}
	header := ""
	for _, name := range []string{"Authorization", "X-Authorization"} {
		if v := r.Header[name]; len(v) > 0 && v[0] != "" {
			header = v[0]
			break
		}
	}
	text, err := token.Bearer(header)
	if err != nil {
		return nil, unauthorized(err)
	}
	return cs.bearer(text)
}

// bearer returns who has a token.
func (cs *callers) bearer(text string) (*caller, error) {
	c, err := cs.verified(text)
	if err != nil {
		return nil, unauthorized(err)
	}
	return c, nil
}

// verified is bearer with the error of the token.
func (cs *callers) verified(text string) (*caller, error) {
	if cs.keys == nil {
		return cs.everyone, nil
	}
	claims, err := cs.keys.Verify(text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(text))
	return cs.remember(tokenID(sum[:16]), claims), nil
}

func (cs *callers) remember(id tokenID, claims *token.Claims) *caller {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.fresh[id]
	if c != nil {
		return c
	}
	if c = cs.stale[id]; c == nil {
		c = newCaller(id, claims, narrowed(cs.limits, claims.Limits))
	}
	if len(cs.fresh) >= callersMax {
		cs.fresh, cs.stale = map[tokenID]*caller{}, cs.fresh
	}
	cs.fresh[id] = c
	return c
}

// narrowed returns the server's limits with the token's on top.
func narrowed(l Limits, own *token.Limits) Limits {
	if own == nil {
		return l
	}
	if own.Rate > 0 && (l.Rate == 0 || own.Rate < l.Rate) {
		burst := own.Burst
		if burst == 0 {
			burst = max(1, int(own.Rate))
		}
		if l.Rate > 0 {
			burst = min(burst, l.Burst)
		}
		l.Rate, l.Burst = own.Rate, burst
	} else if own.Burst > 0 {
		l.Burst = min(l.Burst, own.Burst)
	}
	l.Streams = narrower(l.Streams, own.Streams)
	l.Rows = narrower(l.Rows, own.Rows)
	l.Bytes = narrower(l.Bytes, own.Bytes)
	l.Time = narrower(l.Time, own.Time)
	return l
}

func narrower[T int | int64 | time.Duration](server, own T) T {
	if own > 0 && own < server {
		return own
	}
	return server
}

func unauthorized(err error) error {
	code := "UNAUTHORIZED"
	if e := (*token.Error)(nil); errors.As(err, &e) {
		code = e.Code
	}
	return &failure{status: http.StatusUnauthorized, code: code, message: fmt.Sprintf("Unauthorized: `%s`", err)}
}

// limit counts a request, or refuses it.
func (c *caller) limit() error {
	wait := c.bucket.take(time.Now())
	if wait == 0 {
		return nil
	}
	return &failure{status: http.StatusTooManyRequests, code: "RATE_LIMIT", retry: wait,
		message: fmt.Sprintf("More than %g requests a second, or %d at once: send fewer, or have a token with a higher limit", c.limits.Rate, c.limits.Burst)}
}

// mayRead refuses a caller who has nothing to do with a database.
func (c *caller) mayRead(database string) error {
	if c.claims == nil || c.claims.On(database) >= token.Read {
		return nil
	}
	return &failure{status: http.StatusForbidden, code: "FORBIDDEN",
		message: fmt.Sprintf("Authorization forbidden: the token is not for the database %s", database)}
}

// mayWrite says whether a caller may change a database.
func (c *caller) mayWrite(database string) bool {
	return c.claims == nil || c.claims.On(database) >= token.Write
}

// mayAdmin refuses a caller who may not make and delete databases.
func (c *caller) mayAdmin() error {
	if c.claims == nil || c.claims.Everything() {
		return nil
	}
	return &failure{status: http.StatusForbidden, code: "FORBIDDEN",
		message: "Authorization forbidden: this needs a token that may write every database"}
}
