//go:build unix && !linux

package file

func renameNew(from, to string) error { return linkNew(from, to) }
