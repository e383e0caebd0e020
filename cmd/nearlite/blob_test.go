package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serve starts nearlite blob serve and returns its address and how to end it.
func serve(t *testing.T, db string) (url string, end func() (code int, stderr string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	var stderr bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"blob", "serve", db, "--addr", "127.0.0.1:0"}, &Env{Stdin: strings.NewReader(""), Stdout: in, Stderr: &stderr})
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	url, _, ok := strings.Cut(line, " ")
	if err != nil || !ok {
		cancel()
		t.Fatalf("it said %q, %v: %s", line, err, &stderr)
	}
	return url, func() (int, string) {
		cancel()
		return <-done, stderr.String()
	}
}

func TestBlobServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, file := filepath.Join(dir, "a.db"), filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, []byte("<p>Hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t.Context(), "blob", "put", db, "site/index.html", file); code != exitOK {
		t.Fatal(stderr)
	}
	url, end := serve(t, db)
	// What is stored meanwhile, by another process, is served at once.
	if code, _, stderr := command(t.Context(), "blob", "put", db, "site/late", file, "--type", "text/x-late"); code != exitOK {
		t.Fatal(stderr)
	}
	for path, kind := range map[string]string{"site/": "text/html; charset=utf-8", "site/late": "text/x-late"} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "<p>Hello" || resp.Header.Get("Content-Type") != kind || resp.Header.Get("ETag") == "" {
			t.Errorf("%s: %q, %v, %v", path, body, resp.Header, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if code, stderr := end(); code != exitOK || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if _, err := os.Stat(db + "-wal"); err == nil {
		t.Error("the WAL was left behind")
	}
}

// A download that is under way is finished before the server ends.
func TestBlobServeEndsGracefully(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, file := filepath.Join(dir, "a.db"), filepath.Join(dir, "large")
	content := bytes.Repeat([]byte("0123456789abcdef"), 2<<20)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t.Context(), "blob", "put", db, "large", file); code != exitOK {
		t.Fatal(stderr)
	}
	url, end := serve(t, db)
	resp, err := http.Get(url + "large")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int)
	go func() {
		code, _ := end()
		ended <- code
	}()
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}
	http.DefaultClient.CloseIdleConnections()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// Ctrl-C ends a put that waits for a pipe, and leaves nothing.
func TestBlobPutInterrupted(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "a.db")
	ctx, cancel := context.WithCancel(t.Context())
	stdin, writer := io.Pipe()
	defer writer.Close()
	var stderr bytes.Buffer
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"blob", "put", db, "x"}, &Env{Stdin: stdin, Stdout: io.Discard, Stderr: &stderr})
	}()
	if _, err := writer.Write(make([]byte, 9<<20)); err != nil { // read: some of it is stored
		t.Fatal(err)
	}
	cancel()
	if code := <-done; code != exitInterrupted || stderr.String() != "interrupted\n" {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	if code, stdout, stderr := command(t.Context(), "blob", "ls", db); code != exitOK || stdout != "" {
		t.Errorf("%d, %q, %s", code, stdout, stderr)
	}
	if _, stdout, stderr := command(t.Context(), "shell", "--mode", "csv", db, "SELECT count(*) FROM blob_chunk"); stdout != "count(*)\n0\n" {
		t.Errorf("rows are left: %s %s", stdout, stderr)
	}
}
