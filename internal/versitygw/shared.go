package versitygw

import (
	"errors"
	"os"
	"sync"
	"testing"
)

// Bucket is the bucket of a Shared gateway.
const Bucket = "bucket"

// Shared is one gateway for all tests of a package, each of which takes a prefix of
// its own. The zero value is one that nobody has asked for yet.
type Shared struct {
	once    sync.Once
	gateway *Gateway
	err     error
}

// Get starts the gateway when it is asked for the first time; ErrMissing if there is
// none.
func (s *Shared) Get() (*Gateway, error) {
	s.once.Do(func() { s.gateway, s.err = start() })
	return s.gateway, s.err
}

func start() (*Gateway, error) {
	dir, err := os.MkdirTemp("", "nearlite-s3-")
	if err != nil {
		return nil, err
	}
	g, err := Run(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return g, g.Bucket(Bucket)
}

// Main runs a package's tests, and ends the gateway after them.
func (s *Shared) Main(m *testing.M) (code int) {
	code = m.Run()
	if s.gateway != nil {
		s.gateway.Stop()
		_ = os.RemoveAll(s.gateway.Dir)
	}
	return code
}
