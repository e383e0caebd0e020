package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong" // verbs as structs, so that flags and help cannot drift; released this autumn

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/bench"
)

// What the command exits with.
const (
	exitOK          = 0
	exitFailed      = 1   // an error, or a check that found damage
	exitUsage       = 2   // a command line that makes no sense
	exitInterrupted = 130 // by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP
)

// CLI is the command line: a field for each verb.
type CLI struct {
	Serve   ServeCmd   `cmd:"" help:"Serve the databases of a directory over HTTP."`
	Status  StatusCmd  `cmd:"" help:"What a server does at the moment."`
	DB      DBCmd      `cmd:"" name:"db" help:"The databases of a server: list, create, fork, rename, delete, config."`
	Import  ImportCmd  `cmd:"" help:"Make a database of a file, of SQL, or of what a sqld has."`
	Shell   ShellCmd   `cmd:"" help:"Ask a database: a prompt, or one statement after the other."`
	Check   CheckCmd   `cmd:"" help:"Is the database whole?"`
	Backup  BackupCmd  `cmd:"" help:"Copy a database while others write to it."`
	Restore RestoreCmd `cmd:"" help:"Make a database of an archive, as of now or of any time."`
	Archive ArchiveCmd `cmd:"" help:"Look after an archive: status, list, verify, prune."`
	Log     LogCmd     `cmd:"" help:"What is in an entry of an archive: dump."`
	Blob    BlobCmd    `cmd:"" help:"Files in a database: put, get, ls, rm, import, export, serve."`
	Token   TokenCmd   `cmd:"" help:"Who may use a server: tokens, and the keys they are made with."`
	Bench   BenchCmd   `cmd:"" help:"Measure the engine on this machine."`
	Version VersionCmd `cmd:"" help:"Which nearlite, which SQLite, built how."`
}

// exitStatus travels by panic from kong, which ends the process after --help.
type exitStatus int

// run is the whole command: it parses args, runs the verb, prints its error,
// and returns what to exit with. The first Ctrl-C ends ctx, the second the process.
func run(ctx context.Context, args []string, env *Env) (code int) {
	ctx, stop := untilSignal(ctx)
	defer stop()
	defer func() {
		if p := recover(); p != nil {
			status, ok := p.(exitStatus)
			if !ok {
				panic(p)
			}
			code = int(status)
		}
	}()
	parser, err := newParser(ctx, env)
	if err != nil {
		return report(ctx, env, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if err := checkUTF8(args); err != nil {
		return reportUsage(env, err)
	}
	parsed, err := parser.Parse(shorthand(args))
	if err == nil {
		err = checkPaths(parsed)
	}
	if err != nil {
		return reportUsage(env, err)
	}
	return report(ctx, env, parsed.Run())
}

// shorthand spells out what people try first.
func shorthand(args []string) []string {
	switch args[0] {
	case "help":
		return append(slices.Clone(args[1:]), "--help")
	case "--version":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// checkPaths refuses a path that is empty: a script's variable was. SQLite would
// take it for a temporary database.
func checkPaths(parsed *kong.Context) error {
	kinds := []string{"PATH", "FILE", "DIR", "db", "dest", "file", "directory"}
	for _, element := range parsed.Path {
		value, name := element.Positional, ""
		switch {
		case value != nil:
			name = "<" + value.Name + ">"
		case element.Flag != nil:
			value, name = element.Flag.Value, "--"+element.Flag.Name
		default:
			continue
		}
		kind := value.Name
		if element.Flag != nil {
			kind = element.Flag.PlaceHolder
		}
		if !slices.Contains(kinds, kind) {
			continue
		}
		if texts, _ := value.Target.Interface().([]string); value.Target.IsZero() || slices.Contains(texts, "") {
			return fmt.Errorf("%s is empty: it has to name a file", name)
		}
	}
	return nil
}

// checkUTF8 refuses what kong would silently change into something else.
func checkUTF8(args []string) error {
	for _, arg := range args {
		if !utf8.ValidString(arg) {
			return fmt.Errorf("the argument %q is not UTF-8", arg)
		}
	}
	return nil
}

func newParser(ctx context.Context, env *Env) (*kong.Kong, error) {
	return kong.New(&CLI{},
		kong.Name("nearlite"),
		kong.Description("SQLite, near your code. “nearlite VERB --help” has an example of each verb."),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(code int) { panic(exitStatus(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(env),
	)
}

// report prints an error and what to try, and returns what to exit with.
func report(ctx context.Context, env *Env, err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled) && ctx.Err() != nil && !errors.Is(err, nearlite.ErrCommitUnknown):
		fmt.Fprintln(env.Stderr, interruption(err))
		return exitOf(ctx)
	}
	printError(env.Stderr, err)
	return exitFailed
}

// interruption says what can be done about an interrupted verb, if anything.
func interruption(err error) string {
	if stopped := (*bench.LoadStopped)(nil); errors.As(err, &stopped) {
		return "interrupted: " + stopped.Error()
	}
	return "interrupted"
}

// reportUsage is report for a command line that could not be parsed.
func reportUsage(env *Env, err error) int {
	verb := ""
	if p := new(kong.ParseError); errors.As(err, &p) && p.Context != nil {
		if command := p.Context.Command(); command != "" {
			verb, _, _ = strings.Cut(command, " <")
			verb += " "
		}
	}
	printError(env.Stderr, advise(err, "nearlite "+verb+"--help"))
	return exitUsage
}

// printError is the form of every error: what happened, then what to try.
func printError(w io.Writer, err error) {
	fmt.Fprintf(w, "Error: %s\n", inFlags.Replace(err.Error()))
	for _, try := range hints(err) {
		fmt.Fprintf(w, "Try: %s\n", try)
	}
}
