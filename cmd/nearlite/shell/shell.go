// Package shell asks a database what a person types, or a script says: SQL, and
// commands that begin with a dot. Everything runs on the engine; what the engine
// refuses inside a transaction runs on its writing connection instead.
package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
)

// Config of a shell.
type Config struct {
	Path       string              // the database; made if it is not there, unless ReadOnly
	Remote     Remote              // if not nil, what Path stands for: a database of a server
	ReadOnly   bool                // refuse to write
	Mode       Mode                // how results are printed
	Statements []string            // run these and end; without any, read Stdin
	Log        nearlite.Log        // where commits go beyond the disk; nil: nowhere
	Durability nearlite.Durability // of commits

	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// PrintError prints what went wrong at a prompt, where the shell goes on.
	PrintError func(err error)
}

// forever is longer than anyone sits at a prompt: the engine's bounds protect
// callers from each other, and here there is only one.
const forever = 365 * 24 * time.Hour

// Run opens the database and asks it: the statements of the configuration, those
// a person types, or those that come through a pipe. The first error ends it,
// except at a prompt.
func Run(ctx context.Context, c Config) (err error) {
	s := &session{print: newPrinter(c.Stdout, c.Mode), screen: c.Stderr}
	if err := s.open(ctx, c); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	switch {
	case len(c.Statements) > 0:
		return s.atEnd(s.all(ctx, c.Statements))
	case terminal.Is(c.Stdin):
		return (&prompt{session: s, config: c}).run(ctx)
	default:
		in, stop := interruptible(ctx, c.Stdin)
		defer stop()
		return s.atEnd(s.script(ctx, in))
	}
}

func (s *session) open(ctx context.Context, c Config) (err error) {
	if c.Remote != nil {
		s.remote = &remote{c.Remote}
		return nil
	}
	s.db, err = nearlite.Open(ctx, c.Path, &nearlite.Options{
		Log:            c.Log,
		Durability:     c.Durability,
		ReadOnly:       c.ReadOnly,
		MustExist:      c.ReadOnly,
		MaxSnapshotAge: forever,
		MaxWALBytes:    1 << 50,
		MaxClosure:     forever,
		LeaseIdle:      forever,
		LeaseContended: forever,
		LeaseTotal:     forever,
		OnConnect:      s.brakes.connected,
		Logger:         slog.New(slog.NewTextHandler(c.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	return err
}

// interruptible is in until ctx ends, which a read from a pipe does not notice:
// that read is left behind.
func interruptible(ctx context.Context, in io.Reader) (_ io.Reader, stop func()) {
	out, feed := io.Pipe()
	go func() {
		_, err := io.Copy(feed, in)
		feed.CloseWithError(err)
	}()
	unwatch := context.AfterFunc(ctx, func() { feed.CloseWithError(ctx.Err()) })
	return out, func() {
		unwatch()
		_ = out.Close()
	}
}

// atEnd is the error that a script ends with. One that leaves a transaction open
// has lost what it wrote in it, unless it said .quit, which is told to roll back.
func (s *session) atEnd(err error) error {
	switch {
	case errors.Is(err, errQuit):
		return nil
	case err == nil && s.inTransaction():
		return errors.New("the script ends inside a transaction, which has been rolled back: COMMIT is missing")
	}
	return err
}

// all runs statements one after the other.
func (s *session) all(ctx context.Context, statements []string) error {
	for _, text := range statements {
		if err := s.run(ctx, text, 0); err != nil {
			return err
		}
	}
	return nil
}

// script runs what a file or a pipe says.
func (s *session) script(ctx context.Context, in io.Reader) error {
	var p pending
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("read the script: %w", err)
		}
		if line == "" && err == io.EOF {
			break
		}
		line = strings.TrimRight(line, "\r\n")
		if p.empty() && isCommand(line) {
			p.lines++
			if err := s.run(ctx, line, p.lines); err != nil {
				return err
			}
			continue
		}
		if p.add(line) {
			if err := s.run(ctx, p.take(), p.first); err != nil {
				return err
			}
		}
	}
	if p.empty() {
		return nil
	}
	return s.run(ctx, p.take(), p.first)
}

// errQuit ends a shell.
var errQuit = errors.New("quit")
