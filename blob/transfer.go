package blob

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// TransferOptions of Import and Export; nil is the zero value.
type TransferOptions struct {
	// Dir is the directory of the store that is meant, "" being all of it. Names
	// on the other side are relative to it.
	Dir string
	// Flat puts all files into one directory instead of a tree: a slash in a name
	// is %2F in the file's, and a percent sign %25. A flat import reads that, and
	// enters no directories.
	Flat bool
	// Overwrite lets an export replace files that are there and differ. An import
	// always replaces.
	Overwrite bool
	// Progress, if not nil, is called after every file, by one goroutine at a time.
	Progress func(Progress)
}

// Progress is how far an import or export has come.
type Progress struct {
	Files, Bytes           int64 // done, copied or not
	TotalFiles, TotalBytes int64 // as they were counted in the beginning
}

// Report is what an import or export has done.
type Report struct {
	Files, Bytes int64 // copied
	Unchanged    int64 // files that were there already: of the same size and time or, small ones, the same content
	// Irregular names what an import has passed over: symbolic links, devices,
	// and, if flat, directories.
	Irregular []string
}

// prefix is what the names of the objects that are meant begin with.
func (o *TransferOptions) prefix() string {
	if o.Dir == "" {
		return ""
	}
	return o.Dir + "/"
}

var (
	flatten   = strings.NewReplacer("%", "%25", "/", "%2F")
	unflatten = strings.NewReplacer("%25", "%", "%2F", "/", "%2f", "/")
)

// transfer is an import or export under way.
type transfer struct {
	opts TransferOptions

	mu       sync.Mutex // protects the following
	report   Report
	progress Progress
	failures []error
	failed   int
}

func newTransfer(opts *TransferOptions) (*transfer, error) {
	t := &transfer{}
	if opts != nil {
		t.opts = *opts
	}
	if t.opts.Dir == "" {
		return t, nil
	}
	return t, CheckName(t.opts.Dir)
}

// done counts a file.
func (t *transfer) done(bytes int64, copied bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if copied {
		t.report.Files++
		t.report.Bytes += bytes
	} else {
		t.report.Unchanged++
	}
	t.advance(bytes)
}

func (t *transfer) advance(bytes int64) {
	t.progress.Files++
	t.progress.Bytes += bytes
	if t.opts.Progress != nil {
		t.opts.Progress(t.progress)
	}
}

// failuresMax is how many errors of single files are told in full.
const failuresMax = 10

// fail notes that one file could not be copied; the others can.
func (t *transfer) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed++; t.failed <= failuresMax {
		t.failures = append(t.failures, err)
	}
	t.advance(0)
}

// outcome is the report, and the errors of single files.
func (t *transfer) outcome() (Report, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if more := t.failed - len(t.failures); more > 0 {
		return t.report, errors.Join(append(t.failures, fmt.Errorf("and %d more", more))...)
	}
	return t.report, errors.Join(t.failures...)
}
