package sqldriver

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"

	"github.com/nearlite/nearlite"
)

// An engine is an open database and who shares it.
type engine struct {
	key  string // in engines, "" for one that is not shared
	name source

	opening    sync.Mutex // held while db is opened or closed, BEFORE engines.mu
	db         *nearlite.DB
	statements *statements

	users int // protected by engines.mu
}

// engines are the databases that this process has open through data source
// names. Two engines on one file would be correct, and each would wait for the
// other's commits instead of sharing them.
var engines = struct {
	mu    sync.Mutex // protects the map and every engine's users
	byKey map[string]*engine
}{byKey: map[string]*engine{}}

// share returns the engine for a data source, opening it if it is not open.
func share(ctx context.Context, name source) (*engine, error) {
	e, err := join(name)
	if err != nil {
		return nil, err
	}
	e.opening.Lock()
	defer e.opening.Unlock()
	if e.db == nil {
		opts := name.opts
		db, err := nearlite.Open(ctx, name.path, &opts)
		if err != nil {
			e.leave()
			return nil, err
		}
		e.db, e.statements = db, newStatements()
	}
	return e, nil
}

// join counts one more user of the engine for a data source.
func join(name source) (*engine, error) {
	key := place(name.path)
	engines.mu.Lock()
	defer engines.mu.Unlock()
	e := engines.byKey[key]
	if e == nil {
		e = &engine{key: key, name: name}
		if key != "" {
			engines.byKey[key] = e
		}
	}
	if !reflect.DeepEqual(e.name.opts, name.opts) {
		return nil, fmt.Errorf("open %s: this process has it open as %s; use the same options for both, or share one *sql.DB", name, e.name)
	}
	e.users++
	return e, nil
}

// leave counts one user less and reports whether it was the last.
func (e *engine) leave() bool {
	engines.mu.Lock()
	defer engines.mu.Unlock()
	e.users--
	if e.users == 0 && e.key != "" {
		delete(engines.byKey, e.key)
	}
	return e.users == 0
}

// release ends one use of the engine, and the engine with the last.
func (e *engine) release() error {
	if !e.leave() {
		return nil
	}
	e.opening.Lock()
	defer e.opening.Unlock()
	return e.db.Close()
}

// place names the file that a path leads to, "" for one of its own.
func place(path string) string {
	if path == ":memory:" {
		return ""
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil { // the file is yet to be made
		return filepath.Join(dir, filepath.Base(abs))
	}
	return abs
}
