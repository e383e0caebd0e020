package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A peer is a server that answers the corpus.
type peer struct {
	url    string
	direct func(req *http.Request, database string)               // makes req one for a database
	create func(ctx context.Context, database string) (err error) // makes an empty database
}

// conversation is a stream of one version of the protocol on one database.
type conversation struct {
	peer     *peer
	version  string // "v2", "v3"
	database string
	baton    *string
}

// answers runs a case and returns the answer to each of its requests, which both
// versions are asked, of a database each. "(v2)" or "(v3)" in the title keeps the
// case to one.
func (p *peer) answers(ctx context.Context, database string, c *scriptCase) ([][]string, error) {
	if strings.Contains(c.title, "(v2)") {
		return p.converse(ctx, "v2", database+"-v2", c)
	}
	v3, err := p.converse(ctx, "v3", database+"-v3", c)
	if err != nil || strings.Contains(c.title, "(v3)") {
		return v3, err
	}
	v2, err := p.converse(ctx, "v2", database+"-v2", c)
	if err != nil {
		return nil, err
	}
	for i, r := range c.requests {
		if r.verb != "autocommit" && !slices.Equal(v2[i], v3[i]) {
			v3[i] = append(prefixed("v2 ", v2[i]), prefixed("v3 ", v3[i])...)
		}
	}
	return v3, nil
}

func prefixed(prefix string, lines []string) []string {
	var all []string
	for _, line := range lines {
		all = append(all, prefix+line)
	}
	return all
}

func (p *peer) converse(ctx context.Context, version, database string, c *scriptCase) ([][]string, error) {
	if err := p.create(ctx, database); err != nil {
		return nil, fmt.Errorf("create %s: %w", database, err)
	}
	talk := &conversation{peer: p, version: version, database: database}
	defer talk.end(ctx)
	var all [][]string
	for _, r := range c.requests {
		if r.verb == "autocommit" && version == "v2" && !strings.Contains(c.title, "(v2)") {
			all = append(all, nil) // the stream would end with the error
			continue
		}
		answer, err := talk.ask(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.text(), err)
		}
		for i := range answer {
			answer[i] = strings.TrimRight(answer[i], " ")
		}
		all = append(all, answer)
	}
	return all, nil
}

// ask sends one request and returns its answer. An answer that is no answer of
// the protocol ends the stream: the next request opens another.
func (t *conversation) ask(ctx context.Context, r *request) ([]string, error) {
	if r.verb == "raw" {
		return t.pipeline(ctx, json.RawMessage(r.rest))
	}
	m, err := r.message()
	if err != nil {
		return nil, err
	}
	if r.verb == "cursor" {
		return t.cursor(ctx, m["batch"])
	}
	return t.pipeline(ctx, m)
}

func (t *conversation) pipeline(ctx context.Context, requests ...any) ([]string, error) {
	status, body, err := t.post(ctx, "/"+t.version+"/pipeline", message{"baton": t.baton, "requests": requests})
	if err != nil {
		return nil, err
	}
	t.baton = nil
	if status != http.StatusOK {
		return []string{fmt.Sprintf("http %d %s", status, oneLine(body))}, nil
	}
	var answer pipelineAnswer
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Results) != len(requests) {
		return nil, fmt.Errorf("not the answer to %d requests: %s (%w)", len(requests), body, err)
	}
	t.baton = answer.Baton
	if len(requests) == 0 {
		return nil, nil
	}
	if result := answer.Results[0]; result.Error != nil {
		return formatError(result.Error), nil
	}
	return formatResponse(answer.Results[0].Response)
}

func (t *conversation) cursor(ctx context.Context, batch any) ([]string, error) {
	status, body, err := t.post(ctx, "/v3/cursor", message{"baton": t.baton, "batch": batch})
	if err != nil {
		return nil, err
	}
	t.baton = nil
	if status != http.StatusOK {
		return []string{fmt.Sprintf("http %d %s", status, oneLine(body))}, nil
	}
	head, entries, _ := bytes.Cut(body, []byte("\n"))
	var answer struct {
		Baton *string `json:"baton"`
	}
	if err := json.Unmarshal(head, &answer); err != nil {
		return nil, fmt.Errorf("first line of a cursor: %s: %w", head, err)
	}
	t.baton = answer.Baton
	return formatEntries(entries)
}

// end closes the stream.
func (t *conversation) end(ctx context.Context) {
	if t.baton != nil {
		t.pipeline(ctx, message{"type": "close"})
	}
}

func (t *conversation) post(ctx context.Context, path string, body any) (status int, answer []byte, err error) {
	content, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.peer.url+path, bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	t.peer.direct(req, t.database)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

func oneLine(body []byte) string {
	return strings.ReplaceAll(strings.TrimSpace(string(body)), "\n", `\n`)
}
