package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/storage"
)

// LogCmd is nearlite log VERB.
type LogCmd struct {
	Dump LogDumpCmd `cmd:"" help:"An entry of an archive, or any LTX file, in words."`
}

// LogDumpCmd is nearlite log dump.
type LogDumpCmd struct {
	What  string `arg:"" name:"what" help:"An LTX file, an object of an archive (URL/KEY), or an archive: its newest entry."`
	Pages bool   `help:"A line for each page: its number, how many bytes it takes compressed, its checksum."`
}

// Help is the end of nearlite log dump --help.
func (LogDumpCmd) Help() string {
	return `It reads the file to its end and compares the checksums in it.

  nearlite log dump orphaned-app.db-0000000000000012.ltx --pages
  nearlite log dump /backups/app
  nearlite log dump s3://backups/app/0000/0000000000000012-0000000000000012.ltx?region=eu-central-1`
}

// Run prints the file.
func (c *LogDumpCmd) Run(ctx context.Context, env *Env) error {
	body, name, done, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	out := bufio.NewWriter(env.Stdout)
	if err := c.dump(ctx, out, body, name); err != nil {
		return errors.Join(out.Flush(), err)
	}
	return out.Flush()
}

// open finds the bytes that are meant.
func (c *LogDumpCmd) open(ctx context.Context) (_ io.Reader, name string, done func(), err error) {
	if info, err := os.Stat(c.What); err == nil && info.Mode().IsRegular() {
		f, err := os.Open(c.What)
		if err != nil {
			return nil, "", nil, err
		}
		return f, c.What, func() { _ = f.Close() }, nil
	}
	address, key := splitKey(c.What)
	store, err := openStore(ctx, address, true)
	if err != nil {
		return nil, "", nil, err
	}
	if key == "" {
		if key, err = newestKey(ctx, store, c.What); err != nil {
			return nil, "", nil, errors.Join(err, store.Close())
		}
	}
	body, _, err := store.Get(ctx, key, storage.All)
	if err != nil {
		return nil, "", nil, errors.Join(advise(err, "“nearlite archive list "+quoteArg(address)+"” has the keys"), store.Close())
	}
	return body, key, func() { _ = errors.Join(body.Close(), store.Close()) }, nil
}

// splitKey takes the key of an object off the end of an address: LEVEL/NAME.ltx in
// a bucket, ltx/LEVEL/NAME.ltx in a directory.
func splitKey(what string) (address, key string) {
	path, parameters, has := strings.Cut(what, "?")
	if !strings.HasSuffix(path, ".ltx") {
		return what, ""
	}
	elements := strings.Split(path, "/")
	n := 2
	if len(elements) > 3 && elements[len(elements)-3] == "ltx" {
		n = 3
	}
	if len(elements) <= n {
		return what, ""
	}
	at := len(elements) - n
	address, key = strings.Join(elements[:at], "/"), strings.Join(elements[at:], "/")
	if has {
		address += "?" + parameters
	}
	return address, key
}

// newestKey is the key of the object with the last entry.
func newestKey(ctx context.Context, store storage.Store, address string) (string, error) {
	part, err := findDatabase(ctx, store, address, "")
	if err != nil {
		return "", err
	}
	a, err := archive.Open(ctx, part, nil)
	if err != nil {
		return "", err
	}
	defer a.Close()
	objects, err := a.List(ctx)
	if err != nil {
		return "", err
	}
	var newest archive.Object
	for _, o := range objects {
		if o.Max > newest.Max || o.Max == newest.Max && o.Level < newest.Level {
			newest = o
		}
	}
	if newest.Key == "" {
		return "", (&inArchive{URL: address}).empty()
	}
	return newest.Key, nil
}

// dumpedPage is what is known of a page before the index, at the end of the file,
// says how many bytes it takes.
type dumpedPage struct {
	number   uint32
	checksum uint64
}

// counted counts the bytes that were read.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *LogDumpCmd) dump(ctx context.Context, w io.Writer, body io.Reader, name string) error {
	in := &counted{Reader: body}
	dec := ltx.NewDecoder(in)
	if err := dec.DecodeHeader(); err != nil {
		return advise(fmt.Errorf("%s is no LTX file, or its header is damaged: %w", name, err), "“nearlite archive verify” tells what else is")
	}
	h := dec.Header()
	printLTX(w, name, h)
	dec.SetRetainPageIndex(c.Pages)
	data := make([]byte, h.PageSize)
	var page ltx.PageHeader
	var pages []dumpedPage
	for n := 0; ; n++ {
		err := dec.DecodePage(&page, data)
		if err == io.EOF {
			fmt.Fprintf(w, "%-13s %d\n", "pages", n)
			break
		}
		if err != nil {
			return fmt.Errorf("%s is damaged after page %d, the %dth in it: %w", name, page.Pgno, n, err)
		}
		if c.Pages {
			pages = append(pages, dumpedPage{page.Pgno, uint64(ltx.ChecksumPage(page.Pgno, data))})
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if err := dec.Close(); err != nil {
		return fmt.Errorf("%s is damaged at its end: %w", name, err)
	}
	for _, p := range pages {
		fmt.Fprintf(w, "  %-11d %5d bytes, checksum %016x\n", p.number, dec.PageIndex()[p.number].Size, p.checksum)
	}
	fmt.Fprintf(w, "%-13s %s\n", "size", size(in.n))
	fmt.Fprintf(w, "%-13s %016x, as it should be\n", "checksum", uint64(dec.Trailer().FileChecksum))
	return nil
}

// printLTX prints what a header says.
func printLTX(w io.Writer, name string, h ltx.Header) {
	line := func(what, format string, args ...any) {
		fmt.Fprintf(w, "%-13s %s\n", what, fmt.Sprintf(format, args...))
	}
	line("file", "%s", name)
	switch {
	case h.MinTXID == h.MaxTXID && h.MinTXID > 1:
		line("entry", "%d", h.MaxTXID)
	case h.MinTXID > 1:
		line("entries", "%d to %d, merged", h.MinTXID, h.MaxTXID)
	default:
		line("entries", "1 to %d: it has all pages of the database", h.MaxTXID)
	}
	line("made", "%s", time.UnixMilli(h.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z"))
	line("database", "%d pages of %d bytes afterwards", h.Commit, h.PageSize)
	if h.NodeID != 0 {
		line("epoch", "%08x of its writer", uint32(h.NodeID>>32))
		line("sum", "%08x of the database afterwards", uint32(h.NodeID))
	}
	if h.WALSalt1 != 0 || h.WALSalt2 != 0 {
		line("WAL", "%d bytes from %d on, salts %08x %08x", h.WALSize, h.WALOffset, h.WALSalt1, h.WALSalt2)
	}
	line("flags", "%x, version %d", h.Flags, h.Version)
}
