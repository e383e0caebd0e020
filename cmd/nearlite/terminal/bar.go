package terminal

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3" // the one most programs use, still cared for
)

// Bar shows how far something long has come. On anything but a terminal it shows
// nothing, so that logs stay readable.
type Bar struct {
	bar *progressbar.ProgressBar // nil on anything but a terminal
}

// Bytes returns a bar that counts bytes up to total.
func Bytes(w io.Writer, what string, total int64) *Bar {
	return newBar(w, what, total, progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true))
}

// Steps returns a bar that counts up to total.
func Steps(w io.Writer, what string, total int64) *Bar {
	return newBar(w, what, total, progressbar.OptionShowCount())
}

// Spinner returns a bar for something that cannot say how far it has come; it
// turns and shows the time.
func Spinner(w io.Writer, what string) *Bar {
	return newBar(w, what, -1, progressbar.OptionSpinnerType(14))
}

func newBar(w io.Writer, what string, total int64, options ...progressbar.Option) *Bar {
	if !Is(w) {
		return &Bar{}
	}
	options = append(options,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionUseANSICodes(true),
	)
	return &Bar{progressbar.NewOptions64(total, options...)}
}

// Set moves the bar to done of total.
func (b *Bar) Set(done, total int64) {
	if b.bar == nil {
		return
	}
	if b.bar.GetMax64() != total {
		b.bar.ChangeMax64(total)
	}
	_ = b.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
}

// Clear takes the bar off the screen.
func (b *Bar) Clear() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}
