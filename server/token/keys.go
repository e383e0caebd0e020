package token

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Keys verify tokens. They come from a file that is looked at once a second while
// tokens are verified: a key added to it counts from then on, and tokens of one that
// was taken out are refused, without a restart. A file that is missing or wrong
// changes nothing, and is logged.
//
// Verifying takes some 40 µs for each key, so what was verified is remembered.
type Keys struct {
	path string // "": the keys are fixed
	log  *slog.Logger
	now  func() time.Time

	looked atomic.Int64 // when the file was last looked at, in Unix nanoseconds

	mu   sync.RWMutex // protects the following
	keys []ed25519.PublicKey
	info os.FileInfo // of the file they are from
	lost bool        // the file was not there when last looked at
	seen seen
}

// lookEvery is how often the file is looked at.
const lookEvery = time.Second

// Fixed returns keys that never change.
func Fixed(keys ...ed25519.PublicKey) *Keys {
	return &Keys{keys: keys, now: time.Now, seen: newSeen()}
}

// Load reads keys from a file; see [ParseKeys] for its forms. A nil log is slog.Default().
func Load(path string, log *slog.Logger) (*Keys, error) {
	if log == nil {
		log = slog.Default()
	}
	k := &Keys{path: path, log: log, now: time.Now, seen: newSeen()}
	if err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// Len returns how many keys there are.
func (k *Keys) Len() int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.keys)
}

// Reload reads the file again, now. After an error the old keys stay.
func (k *Keys) Reload() error {
	if k.path == "" {
		return nil
	}
	k.looked.Store(k.now().UnixNano())
	// Looked at before it is read: what is written in between is read a second time.
	info, err := os.Stat(k.path)
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	data, err := os.ReadFile(k.path)
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	keys, err := ParseKeys(data)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.info = info
	if err != nil {
		return fmt.Errorf("read the keys from %s: %w", k.path, err)
	}
	k.keys, k.seen = keys, newSeen()
	return nil
}

// look reads the file again if it has changed. One caller a second does.
func (k *Keys) look(now time.Time) {
	last := k.looked.Load()
	if k.path == "" || now.UnixNano()-last < int64(lookEvery) || !k.looked.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	info, err := os.Stat(k.path)
	if !k.changed(info, err != nil) {
		return
	}
	if err == nil {
		err = k.Reload()
	}
	if err != nil {
		k.log.Warn("the keys of tokens cannot be read again: the old ones stay", "file", k.path, "err", err)
		return
	}
	k.log.Info("the keys of tokens were read again", "file", k.path, "keys", k.Len())
}

// changed says whether the file is another one than last time, or has gone now.
func (k *Keys) changed(info os.FileInfo, lost bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if was := k.lost; lost {
		k.lost = true
		return !was
	}
	k.lost = false
	return !os.SameFile(info, k.info) || info.Size() != k.info.Size() || !info.ModTime().Equal(k.info.ModTime())
}

// Verify returns the claims of a token that a key has signed and whose time it is. The
// claims are shared: do not change them. Every error is an [Error].
func (k *Keys) Verify(token string) (*Claims, error) {
	if token == "" {
		return nil, ErrMissing
	}
	now := k.now()
	k.look(now)
	id := sha256.Sum256([]byte(token))
	k.mu.RLock()
	keys, claims := k.keys, k.seen.find(id)
	k.mu.RUnlock()
	if claims == nil {
		var err error
		if claims, err = verify(keys, token); err != nil {
			return nil, err
		}
		k.remember(keys, id, claims)
	}
	if err := claims.valid(now); err != nil {
		return nil, err
	}
	return claims, nil
}

// remember keeps claims unless the keys that verified them have been replaced.
func (k *Keys) remember(keys []ed25519.PublicKey, id [sha256.Size]byte, claims *Claims) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(keys) == len(k.keys) && len(keys) > 0 && &keys[0] == &k.keys[0] {
		k.seen.add(id, claims)
	}
}

// seen are the claims of tokens that were verified, by the hash of the token. When
// there are too many, the half that was added first goes. Only tokens that a key
// has signed are in it, so strangers cannot fill it.
type seen struct {
	fresh, stale map[[sha256.Size]byte]*Claims
}

// seenMax is how many tokens are remembered at least.
const seenMax = 8192

func newSeen() seen { return seen{fresh: map[[sha256.Size]byte]*Claims{}} }

func (s *seen) find(id [sha256.Size]byte) *Claims {
	if c := s.fresh[id]; c != nil {
		return c
	}
	return s.stale[id]
}

func (s *seen) add(id [sha256.Size]byte, c *Claims) {
	if len(s.fresh) >= seenMax {
		s.fresh, s.stale = map[[sha256.Size]byte]*Claims{}, s.fresh
	}
	s.fresh[id] = c
}
