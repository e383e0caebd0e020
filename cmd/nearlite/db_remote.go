package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/catalog"
)

// remote is the databases of a running server, by its admin API.
type remote struct {
	base  *url.URL
	token string
	env   *Env
}

func newRemote(where, token string, env *Env) (databases, error) {
	base, err := url.Parse(where)
	if err != nil {
		return nil, err
	}
	if base.Host == "" {
		return nil, fmt.Errorf("%s names no host", where)
	}
	return &remote{base: base, token: token, env: env}, nil
}

// Close does nothing: nothing is kept between two calls.
func (r *remote) Close() error { return nil }

// List returns all databases whose names begin with prefix.
func (r *remote) List(ctx context.Context, prefix string) (all []catalog.Info, err error) {
	const page = 1000
	for after := ""; ; {
		var answer struct{ Databases []catalog.Info }
		query := url.Values{"prefix": {prefix}, "after": {after}, "limit": {fmt.Sprint(page)}}
		if err := r.do(ctx, http.MethodGet, "", query, nil, &answer); err != nil {
			return nil, err
		}
		all = append(all, answer.Databases...)
		if len(answer.Databases) < page {
			return all, nil
		}
		after = all[len(all)-1].Name
	}
}

// Lookup returns one database.
func (r *remote) Lookup(ctx context.Context, name string) (i catalog.Info, err error) {
	err = r.do(ctx, http.MethodGet, name, nil, nil, &i)
	return i, err
}

// Taken reports whether there is a database of that name: clients may be writing to it.
func (r *remote) Taken(ctx context.Context, name string) (bool, error) {
	_, err := r.Lookup(ctx, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Create makes an empty database.
func (r *remote) Create(ctx context.Context, name string, cfg *catalog.Config) (i catalog.Info, err error) {
	err = r.do(ctx, http.MethodPost, "", nil, map[string]any{"name": name, "config": cfg}, &i)
	return i, err
}

// Fork copies a database.
func (r *remote) Fork(ctx context.Context, from, to string) (i catalog.Info, err error) {
	err = r.do(ctx, http.MethodPost, "", nil, map[string]any{"name": to, "from": from}, &i)
	return i, err
}

// Rename gives a database another name.
func (r *remote) Rename(ctx context.Context, from, to string) error {
	return r.do(ctx, http.MethodPatch, from, nil, map[string]any{"name": to}, nil)
}

// Configure changes the configuration of a database.
func (r *remote) Configure(ctx context.Context, name string, cfg catalog.Config) error {
	return r.do(ctx, http.MethodPatch, name, nil, map[string]any{"config": map[string]any{
		// All of them: what is left out stays as it is.
		"max_bytes": cfg.MaxBytes, "writer_share": cfg.WriterShare, "max_readers": cfg.MaxReaders, "cache_bytes": cfg.CacheBytes,
		"block_reads": cfg.BlockReads, "block_writes": cfg.BlockWrites, "block_reason": cfg.BlockReason,
	}}, nil)
}

// Delete deletes a database.
func (r *remote) Delete(ctx context.Context, name string) error {
	return r.do(ctx, http.MethodDelete, name, nil, nil, nil)
}

// Import sends a file. A SQLite database may be in use, so a copy is sent.
func (r *remote) Import(ctx context.Context, name, path string, opts *catalog.ImportOptions) (i catalog.Info, err error) {
	content, total := r.env.Stdin, int64(-1)
	if path != "-" {
		if path, err = copyOf(ctx, path, opts.Progress); err != nil {
			return i, err
		}
		defer os.RemoveAll(filepath.Dir(path))
		f, err := os.Open(path)
		if err != nil {
			return i, err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			total = info.Size()
		}
		content = f
	}
	query := url.Values{"replace": {fmt.Sprint(opts.Replace)}}
	if opts.Config != nil {
		text, err := json.Marshal(opts.Config)
		if err != nil {
			return i, err
		}
		query.Set("config", string(text))
	}
	err = r.send(ctx, http.MethodPut, name, query, &watchedReader{r: content, total: total, progress: opts.Progress}, total, &i)
	return i, err
}

// copyOf makes a copy of one state of a database in a temporary directory. What is
// no database is linked there: it is sent as it is.
func copyOf(ctx context.Context, path string, progress func(string, int64, int64)) (_ string, err error) {
	dir, err := os.MkdirTemp("", "nearlite-import-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	to := filepath.Join(dir, "source")
	if !isDatabase(path) {
		abs, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		return to, os.Symlink(abs, to)
	}
	db, err := nearlite.Open(ctx, path, &nearlite.Options{MustExist: true, ReadOnly: !inWAL(path) || !writable(path)})
	if err != nil {
		return "", err
	}
	defer db.Close()
	return to, db.Backup(ctx, to, func(done, total int) { progress("copy", int64(done), int64(total)) })
}

// isDatabase reports whether a file begins as every SQLite database does.
func isDatabase(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 16)
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == "SQLite format 3\x00"
}

// watchedReader tells how far it was read.
type watchedReader struct {
	r           io.Reader
	done, total int64
	progress    func(step string, done, total int64)
}

// Read reads on.
func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.done += int64(n)
	w.progress("send", w.done, w.total)
	return n, err
}

// do calls the admin API with JSON.
func (r *remote) do(ctx context.Context, method, name string, query url.Values, body, answer any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	return r.send(ctx, method, name, query, content, -1, answer)
}

func (r *remote) send(ctx context.Context, method, name string, query url.Values, body io.Reader, length int64, answer any) error {
	at := r.base.JoinPath("v1", "databases")
	if name != "" {
		at = at.JoinPath(url.PathEscape(name))
	}
	at.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return err
	}
	if length >= 0 {
		req.ContentLength = length
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return advise(err, "is the server there? curl "+quoteArg(r.base.JoinPath("health").String()))
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return readFailure(resp)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("%s answers something else than a nearlite server: %w", r.base.Host, err)
	}
	return nil
}

// remoteError is what a server says when something fails.
type remoteError struct {
	status        int
	code, message string
	offset        *int // in the statement, if it is known
}

// Error returns the server's message.
func (e *remoteError) Error() string { return e.message }

// Is matches the errors of the catalog that the server's code stands for.
func (e *remoteError) Is(target error) bool {
	return target == map[string]error{
		"DATABASE_NOT_FOUND": catalog.ErrNotFound,
		"DATABASE_EXISTS":    catalog.ErrExists,
	}[e.code]
}

func readFailure(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var body struct {
		Error struct {
			Code, Message string
			Offset        *int
		}
	}
	if json.Unmarshal(text, &body) != nil || body.Error.Message == "" {
		body.Error.Message = strings.TrimSpace(resp.Status + " " + string(text[:min(len(text), 200)]))
	}
	err := &remoteError{resp.StatusCode, body.Error.Code, body.Error.Message, body.Error.Offset}
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return advise(err, "a token for all databases that is not read-only, in NEARLITE_TOKEN: “nearlite token create --help”")
	}
	if resp.StatusCode == http.StatusInternalServerError { // what others are, their message says
		return advise(err, "the server's log says more")
	}
	return err
}
