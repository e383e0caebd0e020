// Package terminal is what the verbs know about the screen they print on.
package terminal

import (
	"os"

	"golang.org/x/term"
)

// Is reports whether f, one end of the standard streams, is a terminal.
func Is(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Width returns how many characters fit on a line of the terminal f, or 0 if f
// is none and lines may be as long as they like.
func Width(f any) int {
	if !Is(f) {
		return 0
	}
	width, _, err := term.GetSize(int(f.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return width
}
