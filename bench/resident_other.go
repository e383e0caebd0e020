//go:build !linux

package bench

import "errors"

var errNotLinux = errors.New("cold files are measured on Linux: this system has no way to forget one")

func evict(string) error { return errNotLinux }

func resident(string) (float64, error) { return 0, errNotLinux }
