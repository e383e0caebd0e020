package versitygw

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends the server with a test that is killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
