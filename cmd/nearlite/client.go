package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// isURL says whether what a verb is given is a server, not a file.
func isURL(what string) bool {
	return strings.HasPrefix(what, "http://") || strings.HasPrefix(what, "https://")
}

// A client asks a server about one database: main, or the one that the URL's path
// names, as http://127.0.0.1:8080/db/NAME does.
type client struct {
	base  *url.URL
	token string
}

func newClient(where, token string) (*client, error) {
	base, err := url.Parse(where)
	if err != nil || base.Host == "" {
		return nil, advise(fmt.Errorf("%s names no server", where), "http://127.0.0.1:8080, or http://127.0.0.1:8080/db/NAME for another database than main")
	}
	return &client{base: base, token: token}, nil
}

// do sends a request and returns the answer, or the error that it is. at is the
// path below the database's.
func (c *client) do(ctx context.Context, method, at string, body io.Reader, headers ...string) (*http.Response, error) {
	path, query, _ := strings.Cut(at, "?")
	u := c.base.JoinPath(path)
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, advise(err, "is the server there? curl "+quoteArg(c.base.Scheme+"://"+c.base.Host+"/health"))
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.failure(resp)
	}
	return resp, nil
}

// failure returns the error that an answer tells of.
func (c *client) failure(resp *http.Response) error {
	err := readFailure(resp)
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return advise(err, "a token for the database, in NEARLITE_TOKEN: “nearlite token create --help”")
	case http.StatusNotFound:
		return advise(err, "nearlite db list "+quoteArg(c.base.Scheme+"://"+c.base.Host))
	}
	if remote := (*remoteError)(nil); errors.As(err, &remote) {
		return remote
	}
	return err
}

// get asks for JSON.
func (c *client) get(ctx context.Context, at string, answer any) error {
	resp, err := c.do(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("%s answers something else than a nearlite server: %w", c.base.Host, err)
	}
	return nil
}
