// Package chromium drives a headless Chromium from a test, over the pipe of its
// DevTools protocol: the few commands a person's hands and eyes come to. A library
// for the whole protocol would be a hundred times this package's code, compiled anew
// for every kind of test run.
package chromium

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// ErrNotInstalled is returned by Start when there is no Chromium to start.
var ErrNotInstalled = errors.New("no chromium, chromium-browser or google-chrome in the PATH")

// A Browser is a running Chromium with a profile of its own.
type Browser struct {
	cmd     *exec.Cmd
	to      *os.File
	profile string
	done    chan struct{} // closed when the browser has said its last word
	said    tail          // to its standard error

	mu      sync.Mutex // protects the following
	next    int
	waiting map[int]chan<- reply
	pages   map[string]*Page // by session
	err     error            // why the pipe ended
}

// A tail is the end of what was written to it.
type tail struct {
	mu   sync.Mutex // protects the following
	text []byte
}

const tailMax = 4 << 10

// Write keeps the last of p.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > tailMax {
		t.text = append(t.text[:0], t.text[len(t.text)-tailMax:]...)
	}
	return len(p), nil
}

// String returns what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

type reply struct {
	result json.RawMessage
	err    error
}

// A message is a command, its answer, or an event.
type message struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// find returns the path of the first browser that is installed.
func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNotInstalled
}

// Start starts a browser; Close ends it. It ends by itself when this process does.
func Start() (*Browser, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	profile, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		return nil, fmt.Errorf("make a profile: %w", err)
	}
	b := &Browser{profile: profile, done: make(chan struct{}), waiting: map[int]chan<- reply{}, pages: map[string]*Page{}}
	if err := b.run(path); err != nil {
		_ = os.RemoveAll(profile)
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return b, nil
}

func (b *Browser) run(path string) error {
	commands, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = commands.Close() }()
	from, answers, err := os.Pipe()
	if err != nil {
		_ = to.Close()
		return err
	}
	defer func() { _ = answers.Close() }()
	args := []string{
		"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + b.profile, "--no-first-run", "--no-default-browser-check",
		"--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--mute-audio", "--force-color-profile=srgb", "--password-store=basic",
		// It sees nothing but the pages of a test, and what the sandbox needs is
		// forbidden to root and in most containers.
		"--no-sandbox",
		// A test's page is never in the background, or its timers would be slowed down.
		"--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
	}
	b.cmd = exec.Command(path, append(args, "about:blank")...)
	b.cmd.Stderr = &b.said
	b.cmd.ExtraFiles = []*os.File{commands, answers} // 3 and 4, as the protocol has it
	if err := b.cmd.Start(); err != nil {
		_, _ = to.Close(), from.Close()
		return err
	}
	b.to = to
	go b.listen(from)
	return nil
}

// listen hands out what the browser says until it is gone. Messages end with a zero byte.
func (b *Browser) listen(from *os.File) {
	r := bufio.NewReaderSize(from, 1<<16)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			b.end(err)
			break
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err == nil {
			b.take(m)
		}
	}
	_ = from.Close()
	close(b.done)
}

func (b *Browser) take(m message) {
	b.mu.Lock()
	waiting, page := b.waiting[m.ID], b.pages[m.SessionID]
	delete(b.waiting, m.ID)
	b.mu.Unlock()
	switch {
	case waiting != nil && m.Error != nil:
		waiting <- reply{err: errors.New(m.Error.Message)}
	case waiting != nil:
		waiting <- reply{result: m.Result}
	case page != nil && m.ID == 0:
		page.event(m.Method, m.Params)
	}
}

func (b *Browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the browser is gone; its last words:\n%s", &b.said)
	}
	b.err = err
	for id, waiting := range b.waiting {
		waiting <- reply{err: err}
		delete(b.waiting, id)
	}
}

// call sends a command and reads its answer into result, which may be nil.
func (b *Browser) call(ctx context.Context, session, method string, params, result any) error {
	answer := make(chan reply, 1)
	id, err := b.send(session, method, params, answer)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case <-ctx.Done():
		b.mu.Lock()
		delete(b.waiting, id)
		b.mu.Unlock()
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case r := <-answer:
		if r.err != nil {
			return fmt.Errorf("%s: %w", method, r.err)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(r.result, result)
	}
}

func (b *Browser) send(session, method string, params any, answer chan<- reply) (int, error) {
	text, err := json.Marshal(params)
	if err != nil {
		return 0, err
	}
	if params == nil {
		text = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	b.next++
	line, err := json.Marshal(message{ID: b.next, Method: method, Params: text, SessionID: session})
	if err != nil {
		return 0, err
	}
	b.waiting[b.next] = answer
	if _, err := b.to.Write(append(line, 0)); err != nil {
		delete(b.waiting, b.next)
		return 0, err
	}
	return b.next, nil
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() error {
	_ = b.to.Close() // the browser leaves when nobody commands it any more
	<-b.done
	_ = b.cmd.Wait() // its exit code says nothing
	return os.RemoveAll(b.profile)
}
