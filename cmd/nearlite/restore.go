package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
)

// RestoreCmd is nearlite restore.
type RestoreCmd struct {
	Source   string `arg:"" name:"source" help:"The archive: a directory or s3://BUCKET/PREFIX; a server's, with --db."`
	Dest     string `arg:"" name:"dest" help:"The file to make."`
	DB       string `name:"db" placeholder:"NAME" help:"Which database, or the id of one, of the archive that “nearlite serve --archive” writes."`
	At       string `placeholder:"TIME" help:"As it was then: 2026-11-21T20:15:00Z, \"2026-11-21 20:15\" by this machine's clock, or 90m for so long ago."`
	Position uint64 `placeholder:"N" help:"As it was after entry N; “nearlite archive status” says which there are."`
}

// Help is the end of nearlite restore --help.
func (RestoreCmd) Help() string {
	return `It makes a database of an archive, ours or Litestream's, and verifies it: DEST is
there when it is whole. Interrupted, the same command goes on where it was. It
writes nothing to the archive, and may run while the database is in use.

  nearlite restore s3://backups/app?region=eu-central-1 app.db
  nearlite restore /backups/app yesterday.db --at "2026-11-20 18:00"
  nearlite restore s3://backups/server shop.db --db shop --at 90m`
}

// Run restores.
func (c *RestoreCmd) Run(ctx context.Context, env *Env) error {
	if c.At != "" && c.Position > 0 {
		return advise(errors.New("--at and --position: a database can be as it was at one of them"), "one of them, or neither for the newest state")
	}
	o := archive.RestoreOptions{TXID: c.Position}
	var err error
	if c.At != "" {
		if o.At, err = parseTime(c.At, time.Now()); err != nil {
			return err
		}
	}
	if err := hasDirectory(c.Dest); err != nil {
		return err
	}
	store, done, err := databaseIn(ctx, c.Source, c.DB, true)
	if err != nil {
		return err
	}
	defer done()
	bar := terminal.Bytes(env.Stderr, "restore", 1)
	o.Progress = func(done, total int64) { bar.Set(done, max(total, 1)) }
	began := time.Now()
	head, err := archive.Restore(ctx, store, c.Dest, o)
	bar.Clear()
	if err != nil {
		return c.explain(ctx, err)
	}
	bytes := int64(head.Pages) * int64(head.PageSize)
	_, err = fmt.Fprintf(env.Stdout, "%s: %s in %.1f s, entry %d of %s\n", c.Dest, size(bytes), time.Since(began).Seconds(), head.TXID, head.Time.UTC().Format(time.RFC3339))
	return err
}

// explain says what to do about an error.
func (c *RestoreCmd) explain(ctx context.Context, err error) error {
	where := &archive.RangeError{}
	switch {
	case ctx.Err() != nil && exists(c.Dest+".part.json"):
		return fmt.Errorf("%w; the same command goes on with %s", err, c.Dest+".part")
	case errors.As(err, &where) && where.Before > 0:
		return advise(err, fmt.Sprintf("--position %d", where.Before))
	case errors.As(err, &where):
		return advise(err, fmt.Sprintf("--position %d to %d, or --at with a time from %s", where.First, where.Last, where.FirstTime.UTC().Format(time.RFC3339Nano)))
	case errors.Is(err, archive.ErrEmpty):
		return advise(fmt.Errorf("%w: %s", err, c.Source), "“nearlite archive list "+quoteArg(c.Source)+"” shows what is there")
	case errors.Is(err, fs.ErrExist):
		return advise(err, "another name, and then move the restored file into its place while no program has it open")
	}
	return err
}

// parseTime reads a time, or how long ago it was.
func parseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, advise(fmt.Errorf("--at %s is no time", text), "2026-11-21T20:15:00Z, \"2026-11-21 20:15\", or 90m for an hour and a half ago")
}
