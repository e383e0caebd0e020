package shell

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"github.com/peterh/liner"
)

// historyFile returns where what was typed is kept: a file of the user's, not of
// the database's. It is "" if the user has no home.
func historyFile() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "nearlite", "history")
}

// loadHistory gives the editor what was typed in earlier sessions. No history is
// no reason not to start.
func loadHistory(editor *liner.State, path string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	var kept []string
	for lines.Scan() {
		kept = append(kept, lines.Text())
	}
	if len(kept) > 2*liner.HistoryLimit {
		kept = kept[len(kept)-liner.HistoryLimit:]
		replaceHistory(path, kept)
	}
	for _, line := range kept {
		editor.AppendHistory(line)
	}
}

func replaceHistory(path string, lines []string) {
	temporary := path + ".new"
	if os.WriteFile(temporary, []byte(strings.Join(lines, "\n")+"\n"), 0o600) == nil {
		_ = os.Rename(temporary, path)
	}
}

// appendHistory keeps one more entry. Entries of several shells mix.
func appendHistory(path, entry string) {
	if path == "" || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = file.WriteString(entry + "\n")
	_ = file.Close()
}

// oneLine joins the lines of a statement for the history, which has one line for
// each entry. A comment to the end of a line would swallow the rest, so such a
// statement is kept line by line.
func oneLine(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if strings.Contains(text, "--") {
		return lines
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return []string{strings.Join(lines, " ")}
}
