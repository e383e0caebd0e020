package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/sqlite"
)

// What cannot be provoked by a script: disks that are full or fail, lost commits.
func TestHints(t *testing.T) {
	t.Parallel()
	fail := func(code sqlite.ResultCode, errno syscall.Errno) error {
		return fmt.Errorf("commit: %w", &sqlite.Error{Code: code, Msg: "it failed", Offset: -1, Errno: errno})
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"a full disk":         {nearlite.ErrDiskFull, "df -h '/data dir'"},
		"by SQLite's word":    {fail(sqlite.CodeFull, 0), "df -h"},
		"by the system's":     {fail(sqlite.CodeIOErrWrite, syscall.ENOSPC), "df -h"},
		"a failing disk":      {fail(sqlite.CodeIOErrFsync, syscall.EIO), "dmesg"},
		"a read cut short":    {fail(sqlite.CodeIOErrShortRead, 0), "nearlite check '/data dir/a.db'"},
		"damage":              {fail(sqlite.CodeCorruptIndex, 0), "nearlite check '/data dir/a.db'"},
		"a lock":              {fail(sqlite.CodeBusyRecovery, 0), "fuser -v '/data dir/a.db'"},
		"no permission":       {fail(sqlite.CodeCantOpen, syscall.EACCES), "ls -ld '/data dir' '/data dir/a.db'"},
		"a crashed program":   {fail(sqlite.CodeReadOnlyRollback, 0), "nearlite shell '/data dir/a.db' .quit"},
		"an unknown commit":   {nearlite.ErrCommitUnknown, "look at the data"},
		"a poisoned writer":   {nearlite.ErrPoisoned, "open it again"},
		"a missing file":      {fs.ErrNotExist, "ls -ld '/data dir'"},
		"its own remedy":      {advise(nearlite.ErrDiskFull, "this"), "this"},
		"a constraint":        {fail(sqlite.CodeConstraintUnique, 0), ""},
		"nothing we know of":  {errors.New("no"), ""},
		"no memory":           {fail(sqlite.CodeIOErrNoMem, 0), "dmesg"},
		"another file system": {fail(sqlite.CodeCantOpen, syscall.EROFS), "mounted read-only"},
	} {
		got := strings.Join(hints(locate("/data dir/a.db", test.err)), "\n")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestErrorsLeaveOutForeignSQL(t *testing.T) {
	t.Parallel()
	err := locate("a.db", fmt.Errorf("open: %w", &sqlite.Error{Code: sqlite.CodeNotADB, Msg: "file is not a database", SQL: "PRAGMA ours", Offset: -1}))
	if got, want := err.Error(), "open: file is not a database"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if locate("a.db", nil) != nil {
		t.Error("no error became one")
	}
}

func TestMissingFeatures(t *testing.T) {
	t.Parallel()
	var all []string
	for _, f := range features {
		all = append(all, f.Option)
	}
	if missing := missingFeatures(all); len(missing) != 0 {
		t.Errorf("with everything: %v", missing)
	}
	plain := build{SQLite: sqliteBuild{Version: "3.99.0"}, Missing: missingFeatures(nil)}
	var text strings.Builder
	if err := plain.print(&text); err != nil {
		t.Fatal(err)
	}
	for _, f := range features {
		if !strings.Contains(text.String(), f.Name) || !strings.Contains(text.String(), f.Loss) {
			t.Errorf("%s is not named:\n%s", f.Name, &text)
		}
	}
}
