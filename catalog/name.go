package catalog

import "fmt"

// Main is the name of the database that is always there: clients that name none
// get it. It can be forked and replaced, but neither renamed nor deleted.
const Main = "main"

// nameMax is the longest name: a label of a host's name has at most 63 characters,
// and one with a dot in it is chosen by a header or a path.
const nameMax = 64

// CheckName reports why a name cannot be that of a database. Names become labels of
// hosts, elements of paths and values of headers, so they are small and plain.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > nameMax:
		return fmt.Errorf("%w: it has %d characters, %d are allowed", ErrName, len(name), nameMax)
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i == 0:
			return fmt.Errorf("%w: %q does not begin with a letter from a to z or a digit", ErrName, name)
		case c != '-' && c != '_' && c != '.':
			return fmt.Errorf("%w: %q may have only letters from a to z, digits, and . - _", ErrName, name)
		}
	}
	return nil
}
