package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A client speaks to the server over one connection.
type client struct {
	x     *target
	http  *http.Client
	token string
	on    string // the database; "" is main
	retry bool   // a request on a connection that turns out to have ended is sent again
}

func (x *target) client() *client {
	return &client{x: x, token: x.bearer, http: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1}}}
}

// as returns a client with another token.
func (c *client) as(token string) *client {
	return &client{x: c.x, http: c.http, token: token, on: c.on}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// apiError is what the server says against a request or a statement.
type apiError struct {
	Status  int
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// post sends a request and returns the answer's body; an error if the status is not 200.
func (c *client) post(path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+c.x.addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.retry {
		r.Header["X-Idempotency-Key"] = nil // net/http looks whether it is there
	}
	if c.on != "" {
		r.Header.Set("x-nearlite-database", c.on)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return text, nil
	}
	e := &apiError{Status: answer.StatusCode}
	var in struct {
		apiError
		Error json.RawMessage `json:"error"`
	}
	_ = json.Unmarshal(text, &in)
	e.Code, e.Message = in.Code, in.Message
	if len(in.Error) > 0 && in.Error[0] == '{' {
		_ = json.Unmarshal(in.Error, e)
	}
	if e.Message == "" {
		e.Message = string(text)
	}
	return nil, e
}

// query runs one statement by POST /v1/query and returns its rows as JSON.
func (c *client) query(sql string, params ...any) (string, error) {
	body, err := json.Marshal(map[string]any{"sql": sql, "params": append([]any{}, params...)})
	if err != nil {
		return "", err
	}
	text, err := c.post("/v1/query", body)
	if err != nil {
		return "", err
	}
	var m struct {
		Results []struct{ Rows json.RawMessage }
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return "", err
	}
	return string(m.Results[0].Rows), nil
}

// A pipe is a stream of Hrana over HTTP.
type pipe struct {
	c     *client
	baton *string
}

// result is of one request of a pipeline.
type result struct {
	Type     string
	Error    *apiError
	Response struct {
		Result struct {
			Rows             [][]struct{ Value any }
			AffectedRowCount int `json:"affected_row_count"`
		}
	}
}

// do sends requests on the stream.
func (p *pipe) do(requests ...string) ([]result, error) {
	baton, _ := json.Marshal(p.baton)
	text, err := p.c.post("/v3/pipeline", []byte(`{"baton":`+string(baton)+`,"requests":[`+strings.Join(requests, ",")+`]}`))
	if err != nil {
		p.baton = nil
		return nil, err
	}
	var m struct {
		Baton   *string
		Results []result
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	p.baton = m.Baton
	return m.Results, nil
}

// run executes one statement on the stream.
func (p *pipe) run(sql string) error {
	results, err := p.do(execute(sql))
	if err != nil {
		return err
	}
	if e := results[0].Error; e != nil {
		return e
	}
	return nil
}

// execute is a request to run a statement.
func execute(sql string) string {
	text, _ := json.Marshal(sql)
	return `{"type":"execute","stmt":{"sql":` + string(text) + `}}`
}

// batch is a request to run statements, each if the one before has succeeded.
func batch(statements ...string) string {
	steps := make([]string, len(statements))
	for i, sql := range statements {
		text, _ := json.Marshal(sql)
		condition := "null"
		if i > 0 {
			condition = fmt.Sprintf(`{"type":"ok","step":%d}`, i-1)
		}
		steps[i] = `{"condition":` + condition + `,"stmt":{"sql":` + string(text) + `}}`
	}
	return `{"type":"batch","batch":{"steps":[` + strings.Join(steps, ",") + `]}}`
}

const closing = `{"type":"close"}`

// transaction runs a statement between a BEGIN and a COMMIT, each a request.
func (c *client) transaction(sql string) error {
	p := &pipe{c: c}
	for _, s := range []string{"BEGIN IMMEDIATE", sql, "COMMIT"} {
		if err := p.run(s); err != nil {
			if p.baton != nil {
				_, _ = p.do(closing)
			}
			return err
		}
	}
	_, err := p.do(closing)
	return err
}

// call sends a request and returns the status.
func (c *client) call(method, path, body string) int {
	r, err := http.NewRequest(method, "http://"+c.x.addr+path, strings.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	answer, err := c.http.Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}
