//go:build !linux

package versitygw

import "os/exec"

// dieWithParent needs Linux; elsewhere a test that is killed leaves its server.
func dieWithParent(*exec.Cmd) {}
