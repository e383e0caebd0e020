package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
	"github.com/nearlite/nearlite/storage"
)

// ArchiveCmd looks after an archive: nearlite archive VERB URL.
type ArchiveCmd struct {
	Status ArchiveStatusCmd `cmd:"" help:"What is in it: the last entry, who writes it, from when to when it can be restored."`
	List   ArchiveListCmd   `cmd:"" help:"The objects of a database, or the databases of a server."`
	Verify ArchiveVerifyCmd `cmd:"" help:"Read all of it, and say what is damaged or missing."`
	Prune  ArchivePruneCmd  `cmd:"" help:"Delete what need not be kept any longer."`
}

// inArchive names an archive.
type inArchive struct {
	URL string `arg:"" name:"url" help:"The archive: a directory or s3://BUCKET/PREFIX."`
	DB  string `name:"db" placeholder:"NAME" help:"Which database, or the id of one, of the archive that “nearlite serve --archive” writes."`
}

// with calls f with the archive of one database, and its part of the store.
func (in *inArchive) with(ctx context.Context, o archive.Options, readOnly bool, f func(*archive.Archive, storage.Store) error) error {
	part, done, err := databaseIn(ctx, in.URL, in.DB, readOnly)
	if err != nil {
		return err
	}
	defer done()
	a, err := archive.Open(ctx, part, &o)
	if err != nil {
		return err
	}
	return errors.Join(f(a, part), a.Close())
}

// empty is the error for an archive in which there is nothing.
func (in *inArchive) empty() error {
	return advise(fmt.Errorf("%s: %w", in.URL, archive.ErrEmpty), "the URL that was given to --archive, to the letter")
}

// ArchiveStatusCmd is nearlite archive status.
type ArchiveStatusCmd struct{ inArchive }

// Help is the end of nearlite archive status --help.
func (ArchiveStatusCmd) Help() string {
	return `It reads a few small objects. The exit code is 1 if the newest entry cannot be
restored.

  nearlite archive status s3://backups/app?region=eu-central-1
  nearlite archive status /backups/server --db shop`
}

// Run prints what is there.
func (c *ArchiveStatusCmd) Run(ctx context.Context, env *Env) error {
	return c.with(ctx, archive.Options{}, true, func(a *archive.Archive, part storage.Store) error {
		s, err := a.Status(ctx)
		if err != nil {
			return err
		}
		if s.Objects == 0 {
			return c.empty()
		}
		stone, deleted, err := tombstone(ctx, part)
		if err != nil {
			return err
		}
		if err := printArchive(env.Stdout, s); err != nil {
			return err
		}
		if deleted {
			fmt.Fprintf(env.Stdout, "%-13s the database %q was deleted at %s\n", "deleted", stone.Name, when(stone.Time))
		}
		if s.Problem != nil {
			return advise(fmt.Errorf("the newest entry cannot be restored: %w", s.Problem), "“nearlite archive verify "+quoteArg(c.URL)+"” lists all that is wrong")
		}
		return nil
	})
}

func when(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05Z") + ", " + time.Since(t).Round(time.Second).String() + " ago"
}

func printArchive(w io.Writer, s archive.Status) error {
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("archive", "%s", s.Store)
	line("last entry", "%d of %s", s.Head.TXID, when(s.Head.Time))
	line("database", "%s, %d pages of %d bytes, sum %08x", size(int64(s.Head.Pages)*int64(s.Head.PageSize)), s.Head.Pages, s.Head.PageSize, s.Head.Sum)
	for i, p := range s.Primaries {
		what := "written by"
		if i > 0 {
			what = "before that"
		}
		line(what, "%v", p)
	}
	if s.First > 0 {
		line("restorable", "from entry %d of %s", s.First, when(s.FirstTime))
		line("", "to entry %d of %s", s.Last, when(s.LastTime))
	}
	line("objects", "%d, %s; %s of entries are not merged yet", s.Objects, size(s.Size), size(s.Pending))
	for _, l := range s.Levels {
		line("  "+levelName(l.Level), "%d, %s, entries %d to %d", l.Objects, size(l.Size), l.Min, l.Max)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func levelName(level int) string {
	switch level {
	case 0:
		return "entries"
	case 9:
		return "snapshots"
	}
	return fmt.Sprintf("merged %d", level)
}

// ArchiveListCmd is nearlite archive list.
type ArchiveListCmd struct{ inArchive }

// Help is the end of nearlite archive list --help.
func (ArchiveListCmd) Help() string {
	return `Of a server's archive it lists the databases, those that were deleted too.

  nearlite archive list s3://backups/app?region=eu-central-1
  nearlite archive list /backups/server
  nearlite archive list /backups/server --db shop`
}

// Run prints the list.
func (c *ArchiveListCmd) Run(ctx context.Context, env *Env) error {
	if c.DB == "" {
		store, err := openStore(ctx, c.URL, true)
		if err != nil {
			return err
		}
		defer store.Close()
		if servers, err := isServers(ctx, store); err != nil || servers {
			return errors.Join(err, c.databases(ctx, env, store, servers))
		}
	}
	return c.with(ctx, archive.Options{}, true, func(a *archive.Archive, _ storage.Store) error {
		objects, err := a.List(ctx)
		if err != nil {
			return err
		}
		if len(objects) == 0 {
			return c.empty()
		}
		w := tabwriter.NewWriter(env.Stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "KEY\tENTRIES\tSIZE\tSTORED")
		for _, o := range objects {
			entries := fmt.Sprint(o.Min)
			if o.Max > o.Min {
				entries += fmt.Sprintf(" to %d", o.Max)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", o.Key, entries, size(o.Size), o.Time.UTC().Format("2006-01-02T15:04:05Z"))
		}
		return w.Flush()
	})
}

// databases lists those of a server.
func (c *ArchiveListCmd) databases(ctx context.Context, env *Env, store storage.Store, servers bool) error {
	if !servers {
		return nil
	}
	list, err := readCatalog(ctx, store)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "DATABASE\tID\tCREATED\tSTATE")
	for _, d := range list {
		state := d.State
		switch {
		case d.State == "making":
			continue
		case !d.Deleted.IsZero():
			state += " " + d.Deleted.Format("2006-01-02T15:04:05Z")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Name, d.ID, d.Created.Format("2006-01-02T15:04:05Z"), state)
	}
	return w.Flush()
}

// ArchiveVerifyCmd is nearlite archive verify.
type ArchiveVerifyCmd struct{ inArchive }

// Help is the end of nearlite archive verify --help.
func (ArchiveVerifyCmd) Help() string {
	return `It reads every object and compares its bytes with its checksum, and the database
after each entry with the sum that was written down. It changes nothing. The exit
code is 1 if anything is wrong.

  nearlite archive verify s3://backups/app?region=eu-central-1
  nearlite archive verify /backups/server --db shop`
}

// Run verifies.
func (c *ArchiveVerifyCmd) Run(ctx context.Context, env *Env) error {
	return c.with(ctx, archive.Options{}, true, func(a *archive.Archive, _ storage.Store) error {
		bar := terminal.Bytes(env.Stderr, "verify", 1)
		began := time.Now()
		v, err := a.Verify(ctx, func(done, total int64) { bar.Set(done, max(total, 1)) })
		bar.Clear()
		if err != nil {
			return err
		}
		for _, p := range v.Problems {
			fmt.Fprintln(env.Stdout, p)
		}
		if len(v.Problems) > 0 {
			return advise(fmt.Errorf("%s: %d of what was verified is wrong", c.URL, len(v.Problems)),
				"what is lost can be restored up to the entry before it: --position; begin another archive with the file if that is whole")
		}
		if v.Objects == 0 {
			return c.empty()
		}
		_, err = fmt.Fprintf(env.Stdout, "%s is whole: %d objects, %s, %d sums compared in %.1f s.\n", c.URL, v.Objects, size(v.Size), v.Sums, time.Since(began).Seconds())
		return err
	})
}

// ArchivePruneCmd is nearlite archive prune.
type ArchivePruneCmd struct {
	inArchive
	Retention      time.Duration `default:"168h" placeholder:"TIME" help:"How far back it has to be possible to restore (default: ${default})."`
	EntryRetention time.Duration `default:"24h" placeholder:"TIME" help:"How long single entries stay that were merged (default: ${default})."`
}

// Help is the end of nearlite archive prune --help.
func (ArchivePruneCmd) Help() string {
	return `Who writes an archive does this by itself; it is for one that nobody writes any
more, and for a shorter retention. What leads to a state inside the retention stays.

  nearlite archive prune s3://backups/app?region=eu-central-1 --retention 48h
  nearlite archive prune /backups/server --db shop`
}

// Run deletes.
func (c *ArchivePruneCmd) Run(ctx context.Context, env *Env) error {
	if c.Retention <= 0 || c.EntryRetention <= 0 {
		return advise(errors.New("--retention and --entry-retention have to be more than 0"), "48h for two days")
	}
	o := archive.Options{Retention: c.Retention, EntryRetention: c.EntryRetention}
	return c.with(ctx, o, false, func(a *archive.Archive, _ storage.Store) error {
		s, err := a.Status(ctx)
		if err != nil {
			return err
		}
		if s.Objects == 0 {
			return c.empty()
		}
		n, err := a.Prune(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "%d of %d objects deleted.\n", n, s.Objects)
		return err
	})
}
