package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
	"github.com/nearlite/nearlite/sqlite"
)

// BackupCmd is nearlite backup.
type BackupCmd struct {
	DB     string `arg:"" name:"db" help:"The database, or the URL of a server that has it."`
	Dest   string `arg:"" name:"dest" help:"The file to make."`
	Force  bool   `help:"Replace DEST if it is there."`
	Token  string `env:"NEARLITE_TOKEN" placeholder:"TOKEN" help:"Token for the server; better in the environment, as NEARLITE_TOKEN."`
	Verify bool   `help:"Read the whole copy and check its structure before it gets its name."`
}

// Help is the end of nearlite backup --help.
func (BackupCmd) Help() string {
	return `The copy is one consistent state of the database, whatever is committed meanwhile.
It gets its name when it is whole and on the disk: DEST is a complete backup or is
not there.

  nearlite backup app.db /backups/app.db
  nearlite backup app.db /backups/latest.db --force --verify
  nearlite backup http://127.0.0.1:8080/db/shop /backups/shop.db`
}

// Run makes the backup.
func (c *BackupCmd) Run(ctx context.Context, env *Env) error {
	if isURL(c.DB) {
		return c.runRemote(ctx, env)
	}
	if err := c.mayRead(); err != nil {
		return locate(c.DB, err)
	}
	if err := c.mayMake(); err != nil {
		return err
	}
	db, err := nearlite.Open(ctx, c.DB, &nearlite.Options{
		MustExist: true,
		// The engine would switch another journal mode to WAL; and the files that
		// belong to a WAL are taken away at the end by one who may write.
		ReadOnly: !inWAL(c.DB) || !writable(c.DB),
		Logger:   slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return locate(c.DB, err)
	}
	defer db.Close()
	return c.make(ctx, env, func(temporary string) error {
		bar := terminal.Steps(env.Stderr, "pages", 1)
		defer bar.Clear()
		return db.Backup(ctx, temporary, func(done, total int) { bar.Set(int64(done), int64(total)) })
	})
}

// make makes the backup of a file that fill leaves at the path it is given.
func (c *BackupCmd) make(ctx context.Context, env *Env, fill func(temporary string) error) error {
	began := time.Now()
	bytes, err := c.copy(ctx, env, fill)
	if err != nil {
		return err
	}
	verified := ""
	if c.Verify {
		verified = ", structure ok"
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: %s in %.1f s%s\n", c.Dest, size(bytes), time.Since(began).Seconds(), verified)
	return err
}

func (c *BackupCmd) mayRead() error {
	if err := isFile(c.DB); err != nil {
		return err
	}
	return mayOpen(c.DB, true)
}

// mayMake refuses a destination that is in use or in the way.
func (c *BackupCmd) mayMake() error {
	if c.Dest == ":memory:" {
		return advise(fmt.Errorf("back up to %s: a backup is a file", c.Dest), "the name of one; ./:memory: is one, too")
	}
	if dir := filepath.Dir(c.Dest); !exists(dir) {
		return advise(fmt.Errorf("back up to %s: the directory %s does not exist", c.Dest, dir), "mkdir -p "+quoteArg(dir))
	}
	if err := unix.Access(filepath.Dir(c.Dest), unix.W_OK); err != nil {
		return locate(c.Dest, fmt.Errorf("back up to %s: the directory %s cannot be written: %w", c.Dest, filepath.Dir(c.Dest), err))
	}
	dest, err := os.Lstat(c.Dest)
	if errors.Is(err, fs.ErrNotExist) {
		return c.notInUse()
	}
	if err != nil {
		return fmt.Errorf("back up to %s: %w", c.Dest, err)
	}
	if err := c.mayReplace(dest); err != nil {
		return err
	}
	if !c.Force {
		return advise(fmt.Errorf("back up to %s: %w", c.Dest, fs.ErrExist), "--force replaces it")
	}
	return c.notInUse()
}

// mayReplace refuses what is no file, --force or not: a device would be gone, and
// of a link it is not clear what is to be replaced.
func (c *BackupCmd) mayReplace(dest fs.FileInfo) error {
	target, err := os.Stat(c.Dest)
	if err == nil && target.IsDir() {
		return advise(fmt.Errorf("back up to %s: it is a directory", c.Dest),
			"a file in it: nearlite backup "+quoteArg(c.DB)+" "+quoteArg(filepath.Join(c.Dest, filepath.Base(c.DB))))
	}
	if source, failed := os.Stat(c.DB); err == nil && failed == nil && os.SameFile(source, target) {
		return advise(fmt.Errorf("back up to %s: that is the database itself", c.Dest), "another name")
	}
	if link, err := os.Readlink(c.Dest); err == nil {
		return advise(fmt.Errorf("back up to %s: it is a symbolic link to %s", c.Dest, link), "name the file itself, or remove the link: rm "+quoteArg(c.Dest))
	}
	if !dest.Mode().IsRegular() {
		return advise(fmt.Errorf("back up to %s: it is no regular file, and is not replaced", c.Dest), "another name")
	}
	return nil
}

// notInUse refuses a destination that has a WAL or a journal: SQLite would take
// it for a part of the backup. One that a program has left behind goes away when
// the old database is opened and closed; one that stays is in use.
func (c *BackupCmd) notInUse() error {
	if conn, err := sqlite.Open(c.Dest, sqlite.OpenReadWrite, ""); err == nil {
		_ = conn.QueryRow("SELECT count(*) FROM sqlite_schema").Err() // it need not be a database
		_ = conn.Close()
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if exists(c.Dest + suffix) {
			return advise(fmt.Errorf("back up to %s: there is %s, so a program has that database open", c.Dest, c.Dest+suffix),
				"close it, or back up to another name")
		}
	}
	return nil
}

// copy copies to a temporary name beside the destination, and gives the copy its
// name when it is on the disk. Whatever fails, nothing stays behind.
func (c *BackupCmd) copy(ctx context.Context, env *Env, fill func(temporary string) error) (bytes int64, err error) {
	c.removeStale()
	temporary := fmt.Sprintf("%s.new-%d", c.Dest, os.Getpid())
	defer os.Remove(temporary)
	if err = fill(temporary); err != nil {
		return 0, locate(c.Dest, err)
	}
	if c.Verify {
		if err := c.verify(ctx, temporary, env); err != nil {
			return 0, err
		}
	}
	info, err := os.Stat(temporary)
	if err == nil {
		err = c.publish(temporary)
	}
	if err != nil {
		return 0, locate(c.Dest, fmt.Errorf("back up to %s: %w", c.Dest, err))
	}
	return info.Size(), nil
}

// removeStale removes what backups to the same name have left that were killed.
// What cannot be removed does no harm.
func (c *BackupCmd) removeStale() {
	entries, err := os.ReadDir(filepath.Dir(c.Dest))
	if err != nil {
		return
	}
	for _, entry := range entries {
		number, ok := strings.CutPrefix(entry.Name(), filepath.Base(c.Dest)+".new-")
		pid, err := strconv.Atoi(strings.TrimSuffix(number, ".part"))
		if ok && err == nil && pid > 0 && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = os.Remove(filepath.Join(filepath.Dir(c.Dest), entry.Name()))
		}
	}
}

// verify has SQLite read the whole copy.
func (c *BackupCmd) verify(ctx context.Context, name string, env *Env) error {
	conn, err := openAtRest(name)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer conn.InterruptOn(ctx)()
	turning := terminal.Spinner(env.Stderr, "verify")
	defer turning.Clear()
	row := conn.QueryRow("PRAGMA quick_check")
	switch err := row.Err(); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("verify the copy: %w", err)
	case row.Text(0) != "ok":
		return locate(c.DB, fmt.Errorf("the copy of %s is damaged, so %s was not made: %s: %w", c.DB, c.Dest, row.Text(0), sqlite.CodeCorrupt))
	}
	return nil
}

// publish gives the copy the source's permissions and its name, for good.
func (c *BackupCmd) publish(temporary string) error {
	if source, err := os.Stat(c.DB); err == nil {
		if err := os.Chmod(temporary, source.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := c.name(temporary); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(c.Dest))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// name gives the copy its name. Without --force a file that has appeared there
// meanwhile is not replaced.
func (c *BackupCmd) name(temporary string) error {
	if c.Force {
		return os.Rename(temporary, c.Dest)
	}
	err := os.Link(temporary, c.Dest)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// The file system has no links.
	if exists(c.Dest) {
		return fs.ErrExist
	}
	return os.Rename(temporary, c.Dest)
}
