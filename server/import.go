package server

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/nearlite/nearlite/catalog"
)

// importDatabase answers PUT /v1/databases/NAME: a database of the file that is the
// body, a SQLite database or SQL.
func (c *call) importDatabase() error {
	opts, err := c.importOptions()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.s.cat.Dir(), scratchPrefix)
	if err != nil {
		return fmt.Errorf("make room for the import: %w", err)
	}
	defer os.RemoveAll(dir)
	path := dir + "/source"
	if err := c.receive(path); err != nil {
		return err
	}
	info, err := c.s.cat.Import(c.r.Context(), c.arg, path, opts)
	if err != nil {
		return importFailure(err)
	}
	c.s.log.Info("imported a database", "db", info.ID, "name", info.Name, "bytes", info.Bytes)
	return send(c.w, http.StatusCreated, typeJSON, marshal(info))
}

func (c *call) importOptions() (*catalog.ImportOptions, error) {
	values := c.r.URL.Query()
	opts := &catalog.ImportOptions{}
	if text := values.Get("replace"); text != "" {
		replace, err := strconv.ParseBool(text)
		if err != nil {
			return nil, badRequest("replace is %q: true or false", text)
		}
		opts.Replace = replace
	}
	if text := values.Get("config"); text != "" && text != "null" {
		opts.Config = &catalog.Config{}
		if err := decodeConfig([]byte(text), opts.Config); err != nil {
			return nil, err
		}
	}
	return opts, nil
}

// receive keeps the body in a file, however long that takes, as long as it goes on.
func (c *call) receive(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make room for the import: %w", err)
	}
	defer f.Close()
	control := http.NewResponseController(c.w)
	buf := make([]byte, 256<<10)
	for {
		_ = control.SetReadDeadline(time.Now().Add(c.s.opts.BodyTimeout)) // a test's server may have none
		n, err := io.ReadFull(c.r.Body, buf)
		if _, failed := f.Write(buf[:n]); failed != nil {
			return fmt.Errorf("keep the import: %w", failed)
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			if n := c.r.ContentLength; n >= 0 {
				if info, err := f.Stat(); err == nil && info.Size() != n {
					return unread(io.ErrUnexpectedEOF)
				}
			}
			return f.Close()
		default:
			return unread(err)
		}
	}
}

// importFailure is the failure for a file that is no good.
func importFailure(err error) error {
	if f := asFailure(err); f.code != "INTERNAL_ERROR" {
		return err
	}
	return &failure{status: http.StatusUnprocessableEntity, code: "IMPORT_FAILED", message: err.Error()}
}
