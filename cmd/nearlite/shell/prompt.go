package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/peterh/liner" // released last month, one dependency, and the terminal is its own between two prompts

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// A prompt is a session with a person.
type prompt struct {
	*session
	config  Config
	editor  *liner.State
	history string // file
	pending pending
}

// run asks for statements until .quit or the end of input.
func (p *prompt) run(ctx context.Context) error {
	// Ctrl-C is for the statement that runs; only a request to end the process
	// ends the shell.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	late := make(chan os.Signal, 1) // one that comes just after the statement it was for
	signal.Notify(late, os.Interrupt)
	defer signal.Stop(late)
	p.chatty = true
	p.editor = liner.NewLiner()
	defer p.editor.Close()
	p.editor.SetCtrlCAborts(true)
	p.editor.SetTabCompletionStyle(liner.TabPrints)
	p.editor.SetWordCompleter(func(line string, at int) (string, []string, string) {
		return (&completer{p.session}).complete(line, at)
	})
	p.history = historyFile()
	loadHistory(p.editor, p.history)
	fmt.Fprintf(p.screen, "%s, SQLite %s. .help lists the commands, .quit leaves.\n", p.config.Path, sqlite.Version())
	for {
		line, err := p.ask(ctx)
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			p.pending.take()
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(p.screen)
			return nil
		case err != nil:
			return err
		}
		if err := p.typed(ctx, line); errors.Is(err, errQuit) {
			return nil
		}
	}
}

// ask reads one line. The read cannot be stopped, so it is left behind when the
// process is asked to end.
func (p *prompt) ask(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := p.editor.Prompt(p.text())
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		return a.line, a.err
	case <-ctx.Done():
		return "", io.EOF
	}
}

// text is what stands before the cursor: the database's name, with a star inside
// a transaction; an arrow when a statement goes on.
func (p *prompt) text() string {
	name := strings.Map(printable, filepath.Base(p.config.Path))
	if p.inTransaction() {
		name += "*"
	}
	if p.pending.empty() {
		return name + "> "
	}
	return strings.Repeat(" ", max(0, width(name)-2)) + "...> "
}

// printable drops what the editor would not have in a prompt.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}

// typed takes one line and runs what is whole.
func (p *prompt) typed(ctx context.Context, line string) error {
	var text string
	switch {
	case p.pending.empty() && isCommand(line):
		text = line
	case p.pending.add(line):
		text = p.pending.take()
	default:
		return nil
	}
	for _, entry := range oneLine(text) {
		p.editor.AppendHistory(entry)
		appendHistory(p.history, entry)
	}
	statement, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	err := p.session.run(statement, text, 0)
	switch {
	case err == nil || errors.Is(err, errQuit):
		return err
	case statement.Err() != nil && !errors.Is(err, nearlite.ErrCommitUnknown):
		p.interrupted(err)
	default:
		p.config.PrintError(err)
	}
	return nil
}

// interrupted says what Ctrl-C has done.
func (p *prompt) interrupted(err error) {
	text := "Interrupted."
	if strings.Contains(err.Error(), rolledBack) {
		text += " " + rolledBack
	}
	fmt.Fprintln(p.screen, text)
}
