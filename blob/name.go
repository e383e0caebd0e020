package blob

import (
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxName is how many bytes a name may have: as many as an S3 key.
const MaxName = 1024

// CheckName says why name is not one an object can have; the error is a
// [*NameError]. A name is what package fs calls a valid path, so that every
// object can be seen through [Store.FS] and written into a directory: UTF-8,
// elements separated by slashes, none of them empty, "." or "..", no slash at
// either end. It has at most [MaxName] bytes, none of them NUL. Everything else
// is allowed and means nothing: spaces, backslashes, line breaks.
func CheckName(name string) error {
	reason := ""
	switch {
	case name == "":
		reason = "it is empty"
	case len(name) > MaxName:
		reason = "it has " + strconv.Itoa(len(name)) + " bytes, more than " + strconv.Itoa(MaxName)
	case !utf8.ValidString(name):
		reason = "it is not UTF-8"
	case strings.IndexByte(name, 0) >= 0:
		reason = "it contains a NUL"
	case strings.HasPrefix(name, "/"):
		reason = "it begins with a slash"
	case strings.HasSuffix(name, "/"):
		reason = "it ends with a slash"
	case name == "." || !fs.ValidPath(name):
		reason = `one of its elements is empty, "." or ".."`
	default:
		return nil
	}
	return &NameError{Name: name, Reason: reason}
}

// above returns the least string that is greater than all that begin with
// prefix, as SQLite compares them: byte by byte.
func above(prefix string) string {
	if prefix == "" {
		return "\xff" // which begins no UTF-8
	}
	end := []byte(prefix)
	end[len(end)-1]++ // never an overflow: see above
	return string(end)
}
