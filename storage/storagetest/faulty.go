package storagetest

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"github.com/nearlite/nearlite/storage"
)

// Fault is what happens to one call. The zero value is nothing.
type Fault struct {
	// Delay is waited before the call, or until its context ends.
	Delay time.Duration
	// Before fails the call without any effect.
	Before error
	// After lets the call have its effect and then fails it; a write with
	// ErrUnknown, for the answer was lost.
	After error
	// Cut breaks the body of a Get off after so many bytes, if it is not zero.
	Cut int64
}

// Faults decide what happens to a call: its name ("create", "replace", "get",
// "stat", "list" or "delete") and key, or prefix.
type Faults func(op, key string) Fault

// FailFirst is a fault for the first n calls of an operation whose key match
// accepts.
func FailFirst(n int, op string, match func(key string) bool, fault Fault) Faults {
	var left atomic.Int64
	left.Store(int64(n))
	return func(called, key string) Fault {
		if called == op && match(key) && left.Add(-1) >= 0 {
			return fault
		}
		return Fault{}
	}
}

// ErrLost is a cause for faults.
var ErrLost = errors.New("the answer was lost on purpose")

// Faulty is a store between its user and another.
func Faulty(s storage.Store, faults Faults) storage.Store { return &faulty{Store: s, faults: faults} }

type faulty struct {
	storage.Store
	faults Faults
}

// before waits and fails as planned, and returns what is planned for afterwards.
func (f *faulty) before(ctx context.Context, op, key string) (Fault, error) {
	fault := f.faults(op, key)
	if fault.Delay > 0 {
		select {
		case <-time.After(fault.Delay):
		case <-ctx.Done():
			return fault, f.failed(op, key, nil, context.Cause(ctx))
		}
	}
	if fault.Before != nil {
		return fault, f.failed(op, key, storage.ErrUnavailable, fault.Before)
	}
	return fault, nil
}

func (f *faulty) failed(op, key string, kind, err error) error {
	return &storage.Error{Op: op, Store: f.String(), Key: key, Kind: kind, Err: err}
}

// Create may store and not say so.
func (f *faulty) Create(ctx context.Context, key string, content storage.Content) (storage.Info, error) {
	return f.write(ctx, "create", key, func() (storage.Info, error) { return f.Store.Create(ctx, key, content) })
}

// Replace may store and not say so.
func (f *faulty) Replace(ctx context.Context, key string, content storage.Content, old storage.Version) (storage.Info, error) {
	return f.write(ctx, "replace", key, func() (storage.Info, error) { return f.Store.Replace(ctx, key, content, old) })
}

func (f *faulty) write(ctx context.Context, op, key string, write func() (storage.Info, error)) (storage.Info, error) {
	fault, err := f.before(ctx, op, key)
	if err != nil {
		return storage.Info{}, err
	}
	info, err := write()
	if fault.After != nil {
		return storage.Info{}, f.failed(op, key, storage.ErrUnknown, fault.After)
	}
	return info, err
}

// Get may break off.
func (f *faulty) Get(ctx context.Context, key string, part storage.Range) (io.ReadCloser, storage.Info, error) {
	fault, err := f.before(ctx, "get", key)
	if err != nil {
		return nil, storage.Info{}, err
	}
	r, info, err := f.Store.Get(ctx, key, part)
	if err != nil || fault.Cut == 0 {
		return r, info, err
	}
	return &cutBody{ReadCloser: r, left: fault.Cut, err: f.failed("get", key, storage.ErrUnavailable, ErrLost)}, info, nil
}

// Stat may fail.
func (f *faulty) Stat(ctx context.Context, key string) (storage.Info, error) {
	if _, err := f.before(ctx, "stat", key); err != nil {
		return storage.Info{}, err
	}
	return f.Store.Stat(ctx, key)
}

// List may fail before its first object.
func (f *faulty) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if _, err := f.before(ctx, "list", prefix); err != nil {
			yield(storage.Info{}, err)
			return
		}
		f.Store.List(ctx, prefix, after)(yield)
	}
}

// Delete is asked about each of its keys; those with a fault before stay.
func (f *faulty) Delete(ctx context.Context, keys ...string) error {
	var errs []error
	var good []string
	for _, key := range keys {
		fault, err := f.before(ctx, "delete", key)
		if err == nil {
			good = append(good, key)
		}
		if err == nil && fault.After != nil {
			err = f.failed("delete", key, storage.ErrUnknown, fault.After)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, f.Store.Delete(ctx, good...))...)
}

// cutBody is a body that breaks off.
type cutBody struct {
	io.ReadCloser
	left int64
	err  error
}

// Read fails where the body is cut.
func (c *cutBody) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, c.err
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
