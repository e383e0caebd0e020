package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/cmd/nearlite/shell"
	"github.com/nearlite/nearlite/sqlite"
)

// advised is an error that brings its own remedy.
type advised struct {
	error
	try string
}

func (e advised) Unwrap() error { return e.error }

// advise attaches to an error what to try.
func advise(err error, try string) error { return advised{err, try} }

// located is an error about a database file, for hints to name it.
type located struct {
	path string
	error
}

func (e located) Unwrap() error { return e.error }

// Error leaves out the SQL of an error that no statement of the user's caused.
func (e located) Error() string {
	text := e.error.Error()
	var typed *shell.StatementError
	var cause *sqlite.Error
	if errors.As(e.error, &typed) || !errors.As(e.error, &cause) {
		return text
	}
	short := *cause
	short.SQL = ""
	return strings.Replace(text, cause.Error(), short.Error(), 1)
}

// locate says which file an error is about; nil stays nil.
func locate(path string, err error) error {
	if err == nil {
		return nil
	}
	return located{path, err}
}

// remedies are tried from the top, so the special ones stand first. In their
// text DB stands for the database and DIR for its directory.
var remedies = []struct {
	errors []error
	try    string
}{
	{[]error{sqlite.CodeNotADB}, "“file DB” tells what it is; an encrypted database opens only in the program that encrypted it"},
	{[]error{sqlite.CodeCorrupt, sqlite.CodeIOErrShortRead}, "“nearlite check DB” lists the damage; restore a backup, or save what can be read: sqlite3 DB .recover | sqlite3 new.db"},
	{[]error{sqlite.CodeCantOpenIsDir, syscall.EISDIR}, "name a file inside that directory"},
	{[]error{syscall.ENOTDIR}, "a part of the path is a file: look at it with “ls -ld DIR”"},
	{[]error{fs.ErrNotExist}, "look at the path with “ls -ld DIR”: the directory has to be there"},
	{[]error{nearlite.ErrDiskFull, sqlite.CodeFull, syscall.ENOSPC, syscall.EDQUOT}, "make room (“df -h DIR”) and run it again: nothing of the failed transaction was kept"},
	{[]error{syscall.EROFS}, "the file system is mounted read-only: choose another place, or remount it"},
	{[]error{sqlite.CodeReadOnlyRollback, sqlite.CodeReadOnlyRecovery}, "“nearlite shell DB .quit” ends what the program that crashed had begun"},
	{[]error{fs.ErrPermission, sqlite.CodePerm}, "look at the permissions with “ls -ld DIR DB”; a program has to be able to write into the directory, too"},
	{[]error{nearlite.ErrReadOnly, sqlite.CodeReadOnly}, "the database can only be read: see “ls -ld DIR DB”, and whether --readonly was given"},
	{[]error{sqlite.CodeBusy, sqlite.CodeLocked, sqlite.CodeProtocol}, "another program holds a lock: “fuser -v DB” names it; wait for it, or end its transaction"},
	{[]error{sqlite.CodeCantOpen}, "look at “ls -ld DIR DB”: the directory has to be there and writable"},
	{[]error{sqlite.CodeIOErr}, "ask the disk (“dmesg | tail”), then “nearlite check DB”"},
	{[]error{sqlite.CodeNoMem}, "free memory, or ask for less at a time"},
	{[]error{nearlite.ErrCommitUnknown}, "look at the data before running it again: it may be there"},
	{[]error{nearlite.ErrPoisoned}, "end every program that uses DB, then open it again"},
	{[]error{nearlite.ErrSnapshotExpired}, "read in smaller pieces"},
}

// hints returns what to try after an error, best first, or nothing.
func hints(err error) []string {
	if a := (advised{}); errors.As(err, &a) {
		return []string{a.try}
	}
	for _, r := range remedies {
		for _, target := range r.errors {
			if errors.Is(err, target) {
				path := pathOf(err)
				if path == "" && fill(r.try, "x") != r.try {
					return nil // a command with a hole in it helps nobody
				}
				if _, missing := os.Stat(filepath.Dir(path)); target == fs.ErrNotExist && missing == nil {
					return []string{fill("“ls DIR” lists what is there", path)}
				}
				return []string{fill(r.try, path)}
			}
		}
	}
	return nil
}

// pathOf returns the file an error is about, "" if it does not say.
func pathOf(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Path // a file beside the database, such as one to import
	}
	if l := (located{}); errors.As(err, &l) {
		return l.path
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) && e.Path != "" {
		return e.Path
	}
	return ""
}

// fill puts the path in the place of DB and DIR.
func fill(text, path string) string {
	if path == "" {
		return text
	}
	words := strings.NewReplacer("DB", quoteArg(path), "DIR", quoteArg(filepath.Dir(path)))
	return words.Replace(text)
}

// inFlags says in the words of the command line what the engine says to programs.
var inFlags = strings.NewReplacer(
	"open with Options.ReadOnly", "give --readonly where the verb has it",
	"Options.ReadOnly", "--readonly",
	", and Options.MustExist does not let it be created", "",
	": end it, or raise Options.BusyTimeout", ": end it",
	", or raise MaxSnapshotAge and MaxWALBytes", "",
	", or raise QueueMax", "",
)

// quoteArg writes a path so that it can be pasted into a command.
func quoteArg(path string) string {
	if strings.ContainsAny(path, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
