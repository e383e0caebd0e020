package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A documented is a command of a page, and what the page says that it prints.
type documented struct {
	line    int
	command string
	output  string
	shown   bool
}

// readPage returns the commands in the code blocks of a page: what follows "$ ".
func readPage(t *testing.T, file string) (list []documented) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for i, line := range strings.Split(string(text), "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside
		case !inside:
		case isCommand:
			list = append(list, documented{line: i + 1, command: command})
		default:
			last := &list[len(list)-1]
			last.output, last.shown = last.output+line+"\n", true
		}
	}
	return list
}

// matches compares what was printed with what a page shows: … stands for anything
// on its line.
func (d documented) matches(out string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(d.output)), "…", ".*")
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(strings.TrimSpace(out))
}

// Every command in docs/HTTP.md prints what the page shows.
func TestHTTPPage(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "sh", "sed", "grep", "tr"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	dir := t.TempDir()
	open := serveIn(t, dir, "--admin-listen", "127.0.0.1:0")
	// The page's “nearlite” is this binary.
	bin := t.TempDir()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "nearlite")); err != nil {
		t.Fatal(err)
	}
	var closed *served
	state := filepath.Join(t.TempDir(), "state") // what one command exports to the next
	if err := os.WriteFile(state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	list := readPage(t, filepath.Join("..", "..", "docs", "HTTP.md"))
	if len(list) < 30 {
		t.Fatalf("the page has %d commands", len(list))
	}
	for _, d := range list {
		if strings.Contains(d.command, "127.0.0.1:8081") && closed == nil {
			closed = serveAt(t, dir, "closed", "--keys", "token.pub")
		}
		command := strings.ReplaceAll(d.command, "http://127.0.0.1:8080", open.url)
		command = strings.ReplaceAll(command, "http://127.0.0.1:9090", open.admin)
		if closed != nil {
			command = strings.ReplaceAll(command, "http://127.0.0.1:8081", closed.url)
		}
		sh := exec.Command("sh", "-ec", `. "$STATE"; eval "$COMMAND"; if [ -n "${TOKEN-}" ]; then echo "TOKEN=$TOKEN" > "$STATE"; fi`)
		sh.Dir = dir
		sh.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "STATE="+state, "COMMAND="+command)
		out, err := sh.CombinedOutput()
		switch {
		case err != nil:
			t.Errorf("line %d: %s: %v\n%s", d.line, d.command, err, out)
		case d.shown && !d.matches(string(out)):
			t.Errorf("line %d: %s\nprints\n%s\nand the page shows\n%s", d.line, d.command, out, d.output)
		case !d.shown && len(out) > 0:
			t.Errorf("line %d: %s\nprints\n%s\nand the page shows nothing", d.line, d.command, out)
		}
	}
}
