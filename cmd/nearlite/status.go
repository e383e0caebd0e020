package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/nearlite/nearlite/cmd/nearlite/terminal"
	"github.com/nearlite/nearlite/server"
)

// StatusCmd is nearlite status.
type StatusCmd struct {
	URL   string        `arg:"" name:"url" default:"http://127.0.0.1:8080" help:"The server; with /db/NAME behind it, another database than main (default: ${default})."`
	Watch bool          `short:"w" help:"Show what happens, again and again, until Ctrl-C."`
	Every time.Duration `default:"1s" placeholder:"TIME" help:"How often, with --watch (default: ${default})."`
	JSON  bool          `name:"json" help:"Print the server's answer as it is, with --watch one on each line."`
	Token string        `env:"NEARLITE_TOKEN" placeholder:"TOKEN" help:"Token for the server; better in the environment, as NEARLITE_TOKEN."`
}

// Help is the end of nearlite status --help.
func (StatusCmd) Help() string {
	return `Without --watch the figures count from the server's start, with it they are of the
time between two looks. They are those of the metrics and of the console.

  nearlite status
  nearlite status http://127.0.0.1:8080/db/shop --watch
  nearlite status --json | jq .database.commits`
}

// Run prints the figures.
func (c *StatusCmd) Run(ctx context.Context, env *Env) error {
	if c.Every < 10*time.Millisecond {
		return fmt.Errorf("--every %v is too short: 10ms at least", c.Every)
	}
	client, err := newClient(c.URL, c.Token)
	if err != nil {
		return err
	}
	now, raw, err := c.ask(ctx, client)
	if err != nil {
		return err
	}
	if !c.Watch {
		if c.JSON {
			_, err = fmt.Fprintf(env.Stdout, "%s\n", raw)
			return err
		}
		return printStatus(env.Stdout, c.URL, server.Status{Now: now.Started}, now)
	}
	return c.watch(ctx, env, client, now)
}

func (c *StatusCmd) ask(ctx context.Context, client *client) (s server.Status, raw json.RawMessage, err error) {
	if err = client.get(ctx, "v1/status", &raw); err == nil {
		err = json.Unmarshal(raw, &s)
	}
	return s, raw, err
}

// watch prints what happens between two looks, in place where there is a screen.
func (c *StatusCmd) watch(ctx context.Context, env *Env, client *client, before server.Status) error {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		now, raw, err := c.ask(ctx, client)
		if err != nil {
			return err
		}
		if c.JSON {
			_, err = fmt.Fprintf(env.Stdout, "%s\n", raw)
		} else {
			if now.Instance != before.Instance { // it was started anew
				before = server.Status{Now: now.Started}
			}
			if terminal.Is(env.Stdout) {
				fmt.Fprint(env.Stdout, "\x1b[H\x1b[2J")
			}
			err = printStatus(env.Stdout, c.URL, before, now)
		}
		if err != nil {
			return err
		}
		before = now
	}
}

// printStatus prints what happened between two looks, and what is now.
func printStatus(w io.Writer, where string, before, now server.Status) error {
	d, b := &now.Database, &before.Database
	seconds := max(now.Now.Sub(before.Now).Seconds(), 1e-3)
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("server", "%s, %s, up %s", where, now.Version, now.Now.Sub(now.Started).Round(time.Second))
	line("", "%d databases, %d of them open; %d streams, %d in a transaction; %d WebSockets", now.Databases.Known, now.Databases.Open,
		now.Streams.Open, now.Streams.Transactions, now.Streams.WebSockets)
	line("requests", "%s a second", rate(now.Requests-before.Requests, seconds))
	line("database", "%s, %s, WAL %s", d.Name, size(d.Bytes), size(d.WALBytes))
	line("transactions", "%s a second in %s commits, %s run again", rate(d.Transactions-b.Transactions, seconds), rate(d.Commits-b.Commits, seconds), rate(d.Reruns-b.Reruns, seconds))
	batch := since(b.BatchSize, d.BatchSize)
	line("batch", "%s on average, 99 %% up to %.0f", mean(batch, "%.1f"), math.Ceil(batch.Quantile(0.99)))
	line("queue", "%d wait now; %s", d.QueueDepth, quantiles(since(b.QueueWait, d.QueueWait)))
	line("commit", "%s", quantiles(since(b.CommitTime, d.CommitTime)))
	line("write", "%s", quantiles(since(b.CommitLatency, d.CommitLatency)))
	line("read", "%s; %s a second, %s rows", quantiles(since(b.ReadLatency, d.ReadLatency)), rate(d.Reads-b.Reads, seconds), rate(d.RowsRead-b.RowsRead, seconds))
	line("failed", "%s statements a second", rate(d.Failed-b.Failed, seconds))
	line("readers", "%d, %d busy; the oldest snapshot is %s old, %d have expired", d.Readers, d.BusyReaders, duration(d.OldestSnapshot), d.SnapshotsExpired)
	line("checkpoints", "%d, the longest kept the writer %s", d.Checkpoints, duration(d.CheckpointPauseMax))
	if a := now.Archive; a != nil {
		line("archive", "entry %d, %s behind", d.ArchiveEntry, duration(d.ArchiveLag))
		if d.ArchiveError != "" {
			line("", "failing: %s", d.ArchiveError)
		}
		was := server.Archive{}
		if before.Archive != nil {
			was = *before.Archive
		}
		line("", "%d puts, %d lists, %d gets, %d deletes; %s sent, %s received", a.Puts-was.Puts, a.Lists-was.Lists, a.Gets-was.Gets, a.Deletes-was.Deletes,
			size(a.Sent-was.Sent), size(a.Received-was.Received))
	}
	text.WriteByte('\n')
	_, err := io.WriteString(w, text.String())
	return err
}

// since returns what was counted between two looks.
func since(before, now server.Spread) server.Spread {
	if len(before.Counts) != len(now.Counts) {
		return now
	}
	d := server.NewSpread(now.Bounds)
	for i := range d.Counts {
		d.Counts[i] = now.Counts[i] - before.Counts[i]
	}
	d.Sum = now.Sum - before.Sum
	return d
}

func rate(n uint64, seconds float64) string {
	r := float64(n) / seconds
	if r > 0 && r < 10 {
		return fmt.Sprintf("%.2f", r)
	}
	return fmt.Sprintf("%.0f", r)
}

func total(s server.Spread) (n uint64) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

func mean(s server.Spread, format string) string {
	if n := total(s); n > 0 {
		return fmt.Sprintf(format, s.Sum/float64(n))
	}
	return "none"
}

// quantiles says how long something took.
func quantiles(s server.Spread) string {
	if total(s) == 0 {
		return "none"
	}
	return fmt.Sprintf("half within %s, 99 %% within %s", duration(s.Quantile(0.5)), duration(s.Quantile(0.99)))
}

// duration writes seconds with three digits at most.
func duration(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case d == 0:
		return "0 ms"
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", seconds*1e6)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.2g ms", seconds*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", seconds*1e3)
	}
	return fmt.Sprintf("%.1f s", seconds)
}
