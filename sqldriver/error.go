package sqldriver

import (
	"errors"

	"github.com/nearlite/nearlite/sqlite"
)

// failure is an error of SQLite's with its codes where tools written for
// mattn/go-sqlite3 look for them: GORM's TranslateError reads the fields of the
// outermost error, through JSON.
type failure struct {
	Code, ExtendedCode int
	err                error
}

// Error returns the message.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap returns what holds the [*sqlite.Error].
func (f *failure) Unwrap() error { return f.err }

// reported returns an error as callers get it.
func reported(err error) error {
	if err == nil {
		return nil
	}
	code := sqlite.Code(err)
	if code == sqlite.CodeOK {
		return err
	}
	var already *failure
	if errors.As(err, &already) {
		return err
	}
	return &failure{Code: int(code.Primary()), ExtendedCode: int(code), err: err}
}
