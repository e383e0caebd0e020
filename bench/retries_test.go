package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestRetries(t *testing.T) {
	t.Parallel()
	refused := func(code string) error { return fmt.Errorf("commit: %w", &pgconn.PgError{Code: code}) }
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		answers []error
		counted Retries
	}{
		"at once":           {[]error{nil}, Retries{}},
		"not serializable":  {[]error{refused("40001"), refused("40001"), nil}, Retries{Serialization: 2}},
		"a deadlock":        {[]error{refused("40P01"), nil}, Retries{Deadlocks: 1}},
		"with the rollback": {[]error{errors.Join(refused("40001"), broken), nil}, Retries{Serialization: 1}},
		"another error":     {[]error{refused("40P01"), broken}, Retries{Deadlocks: 1}},
		"another code":      {[]error{refused("23505")}, Retries{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r retries
			tries := 0
			err := r.run(t.Context(), func() error { tries++; return test.answers[tries-1] })
			if tries != len(test.answers) {
				t.Errorf("%d tries, want %d", tries, len(test.answers))
			}
			if last := test.answers[len(test.answers)-1]; !errors.Is(err, last) {
				t.Errorf("error %v, want the last answer, %v", err, last)
			}
			if counted := *r.report(); counted != test.counted {
				t.Errorf("counted %+v, want %+v", counted, test.counted)
			}
		})
	}
}

// A run that is over begins nothing again, however often it is refused.
func TestRetriesEndWithTheRun(t *testing.T) {
	t.Parallel()
	running, stop := context.WithCancelCause(t.Context())
	over := errors.New("over")
	var r retries
	err := r.run(running, func() error {
		if r.serialization.Load() == 2 {
			stop(over)
		}
		return &pgconn.PgError{Code: serializationFailure}
	})
	if !errors.Is(err, over) || r.serialization.Load() != 3 {
		t.Errorf("error %v after %d tries", err, r.serialization.Load())
	}
}
