package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/nearlite/nearlite/cmd/nearlite/shell"
	"github.com/nearlite/nearlite/sqlite"
)

// remoteShell is a database of a server, by POST /v1/query.
type remoteShell struct{ client *client }

// Query runs one statement.
func (r remoteShell) Query(ctx context.Context, sql string, args ...any) (out shell.RemoteResult, err error) {
	body := map[string]any{"statements": []any{map[string]any{"sql": sql, "params": args}}}
	text, err := json.Marshal(body)
	if err != nil {
		return out, err
	}
	resp, err := r.client.do(ctx, http.MethodPost, "v1/query", bytes.NewReader(text))
	if err != nil {
		return out, inStatement(sql, err)
	}
	defer resp.Body.Close()
	var answer struct {
		Results []struct {
			Columns []string
			Rows    [][]json.RawMessage
			Changes int64 `json:"rows_affected"`
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Results) != 1 {
		return out, fmt.Errorf("%s answers something else than a nearlite server: %w", r.client.base.Host, err)
	}
	result := answer.Results[0]
	out.Columns, out.Changes = result.Columns, result.Changes
	for _, raw := range result.Rows {
		row := make([]any, len(raw))
		for i := range raw {
			if row[i], err = remoteValue(raw[i]); err != nil {
				return out, err
			}
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// inStatement lets the shell mark the place of an error in the statement, where the
// server knows it.
func inStatement(sql string, err error) error {
	var e *remoteError
	if !errors.As(err, &e) || e.offset == nil {
		return err
	}
	return &sqlite.Error{Code: sqlite.CodeError, Msg: e.message, SQL: sql, Offset: *e.offset}
}

// remoteValue reads a value as POST /v1/query writes it.
func remoteValue(raw json.RawMessage) (any, error) {
	switch text := string(raw); {
	case text == "null":
		return nil, nil
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case raw[0] == '{':
		var m struct{ Base64 string }
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(m.Base64)
	case strings.ContainsAny(text, ".eE"):
		f, err := strconv.ParseFloat(text, 64)
		if errors.Is(err, strconv.ErrRange) { // 1e999 is infinity
			err = nil
		}
		return f, err
	default:
		return strconv.ParseInt(text, 10, 64)
	}
}

// Dump writes the database as SQL.
func (r remoteShell) Dump(ctx context.Context, w io.Writer, like string) error {
	resp, err := r.client.do(ctx, http.MethodGet, "dump?like="+url.QueryEscape(like), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("fetch the dump: %w", err)
	}
	return nil
}
