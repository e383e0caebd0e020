package nearlite

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A supervised child is a process that asks, by a seccomp filter of its own, before
// each system call that changes a file: SQLite's, the page map's and the archive's,
// whoever makes it. So it can be made to die before the k-th of them and before no
// other, and what it writes and syncs can be put down in order.

// changing are the system calls that are asked about.
var changing = []uint32{
	unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_FTRUNCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_OPENAT, unix.SYS_OPEN,
	unix.SYS_RENAME, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_LINK, unix.SYS_LINKAT, unix.SYS_UNLINK, unix.SYS_UNLINKAT,
	// Nobody is known to make these; who begins to is to be noticed.
	unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2, unix.SYS_TRUNCATE, unix.SYS_FALLOCATE, unix.SYS_COPY_FILE_RANGE,
	unix.SYS_SENDFILE, unix.SYS_SPLICE, unix.SYS_CREAT, unix.SYS_MSYNC, unix.SYS_SYNC_FILE_RANGE,
}

// beSupervised is called by the child: from here on the parent is asked.
func beSupervised() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up privileges: %w", err)
	}
	filter := filterOf(changing)
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	fmt.Println("to be supervised") // what is said later waits for an answer
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return fmt.Errorf("install a seccomp filter: %w", errno)
	}
	_, err := bufio.NewReader(os.Stdin).ReadString('\n')
	return err
}

// filterOf asks about these calls and lets all others pass. A write of eight bytes
// is Go's runtime waking itself up.
func filterOf(calls []uint32) []unix.SockFilter {
	const loadNr, loadLength = 0, 16 + 2*8 // in struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	equals := func(k uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: uint8(yes), Jf: uint8(no)}
	}
	f := []unix.SockFilter{load(loadNr), equals(unix.SYS_WRITE, 0, 3), load(loadLength), equals(8, len(calls)+1, 0), load(loadNr)}
	for i, nr := range calls {
		f = append(f, equals(nr, len(calls)-i, 0))
	}
	return append(f,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
}

// notification is struct seccomp_notif.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// supervise asks may about each call of a child on a file below root, until the
// child has ended. A call that may not be made is the child's death.
func supervise(t testing.TB, c *child, root string, may func(fileCall) bool) {
	t.Helper()
	listener := listenTo(t, c)
	defer unix.Close(listener)
	lines := make(chan struct{})
	go func() { // so that the pipe does not fill up
		defer close(lines)
		for _, ok := c.line(); ok; _, ok = c.line() {
		}
	}()
	for {
		n, ok := receive(t, listener)
		if !ok {
			break
		}
		what, known := decode(t, n, root)
		if known && !may(what) {
			c.cmd.Process.Kill()
			continue
		}
		a := answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a))); errno != 0 && errno != unix.ENOENT {
			t.Fatalf("let a call pass: %v", errno)
		}
	}
	<-lines
	c.cmd.Wait()
}

// listenTo takes the child's listener over and lets it go on.
func listenTo(t testing.TB, c *child) int {
	t.Helper()
	c.line()
	pidfd, err := unix.PidfdOpen(c.cmd.Process.Pid, 0)
	if err != nil {
		t.Skipf("this system has no pidfd_open: %v", err)
	}
	defer unix.Close(pidfd)
	theirs, ok := listenerOf(c.cmd.Process.Pid)
	if !ok {
		t.Skip("this system lets nobody watch a process's calls by seccomp")
	}
	listener, err := unix.PidfdGetfd(pidfd, theirs, 0)
	if err != nil {
		t.Skipf("this system does not give a child's descriptor: %v", err)
	}
	if _, err := c.stdin.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	return listener
}

// listenerOf waits until a child has one.
func listenerOf(pid int) (fd int, ok bool) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) == 0 { // it has ended
			return 0, false
		}
		for _, e := range entries {
			if to, _ := os.Readlink(filepath.Join(dir, e.Name())); to == "anon_inode:seccomp notify" {
				fd, err := strconv.Atoi(e.Name())
				return fd, err == nil
			}
		}
	}
	return 0, false
}

// receive returns the next call, false when the child has ended.
func receive(t testing.TB, listener int) (n notification, ok bool) {
	t.Helper()
	for {
		p := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(p, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if p[0].Revents&unix.POLLIN == 0 {
			return n, false
		}
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n)))
		switch errno {
		case 0:
			return n, true
		case unix.EINTR, unix.ENOENT: // it was killed, or interrupted, meanwhile
			n = notification{}
		default:
			t.Fatalf("receive a call: %v", errno)
		}
	}
}

// decode says what a call is about to do; false if that is none of ours.
func decode(t testing.TB, n notification, root string) (c fileCall, known bool) {
	t.Helper()
	a := n.args
	p := traced{pid: int(n.pid)}
	switch n.nr {
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		if a[0] == uint64(syscall.Stdout) {
			return fileCall{op: callSay, data: p.read(a[1], a[2])}, true
		}
		c = p.file(callWrite, a[0])
		if c.at = int64(a[3]); n.nr == unix.SYS_WRITE {
			c.at = p.offset(a[0])
		}
		if below(c.path, root) {
			c.data = p.read(a[1], a[2])
		}
	case unix.SYS_FTRUNCATE:
		c = p.file(callTruncate, a[0])
		c.at = int64(a[1])
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		c = p.file(callSync, a[0])
	case unix.SYS_OPEN:
		c = p.opened(p.string(a[0]), int(a[1]))
	case unix.SYS_OPENAT:
		c = p.opened(p.string(a[1]), int(a[2]))
	case unix.SYS_RENAME:
		c = p.renamed(callRename, a[0], a[1], false)
	case unix.SYS_RENAMEAT:
		c = p.renamed(callRename, a[1], a[3], false)
	case unix.SYS_RENAMEAT2:
		c = p.renamed(callRename, a[1], a[3], a[4]&unix.RENAME_NOREPLACE != 0)
	case unix.SYS_LINK:
		c = p.renamed(callLink, a[0], a[1], true)
	case unix.SYS_LINKAT:
		c = p.renamed(callLink, a[1], a[3], true)
	case unix.SYS_UNLINK:
		c = fileCall{op: callUnlink, path: p.string(a[0])}
	case unix.SYS_UNLINKAT:
		c = fileCall{op: callUnlink, path: p.string(a[1])}
	case unix.SYS_MSYNC:
		return c, false
	default:
		if c = p.file(callWrite, a[0]); below(c.path, root) {
			t.Errorf("system call %d on %s: this test does not know what it does", n.nr, c.path)
		}
		return c, false
	}
	return c, below(c.path, root) && !strings.HasSuffix(c.path, "-shm")
}

func below(path, root string) bool { return strings.HasPrefix(path, root+"/") || path == root }

// traced is a process of which a call is waiting.
type traced struct{ pid int }

func (p traced) proc(format string, args ...any) string {
	return fmt.Sprintf("/proc/%d/%s", p.pid, fmt.Sprintf(format, args...))
}

func (p traced) read(at, n uint64) []byte {
	b := make([]byte, n)
	if n == 0 {
		return b
	}
	got, err := unix.ProcessVMReadv(p.pid, []unix.Iovec{{Base: &b[0], Len: n}}, []unix.RemoteIovec{{Base: uintptr(at), Len: int(n)}}, 0)
	if err != nil {
		return nil // it was killed
	}
	return b[:got]
}

// string reads one that ends with a zero, which may lie right before unmapped memory.
func (p traced) string(at uint64) string {
	var all []byte
	for len(all) < 4096 {
		part := p.read(at, 64-at%64)
		if i := bytes.IndexByte(part, 0); i >= 0 || len(part) == 0 {
			return string(append(all, part[:max(i, 0)]...))
		}
		all, at = append(all, part...), at+uint64(len(part))
	}
	return string(all)
}

// file is a call on an open one.
func (p traced) file(op callOp, fd uint64) fileCall {
	link := p.proc("fd/%d", fd)
	path, _ := os.Readlink(link)
	c := fileCall{op: op, path: strings.TrimSuffix(path, " (deleted)")}
	if info, err := os.Stat(link); err == nil {
		c.inode, c.modified = info.Sys().(*syscall.Stat_t).Ino, info.ModTime()
	}
	return c
}

func (p traced) offset(fd uint64) (at int64) {
	b, _ := os.ReadFile(p.proc("fdinfo/%d", fd))
	fmt.Sscanf(string(b), "pos: %d", &at)
	return at
}

// opened is of no account unless it makes or empties a file.
func (p traced) opened(path string, flags int) fileCall {
	switch {
	case flags&unix.O_CREAT != 0 && !exists(path):
		return fileCall{op: callCreate, path: path}
	case flags&unix.O_TRUNC != 0:
		c := fileCall{op: callTruncate, path: path}
		if info, err := os.Stat(path); err == nil {
			c.inode = info.Sys().(*syscall.Stat_t).Ino
		}
		return c
	}
	return fileCall{}
}

// renamed is of no account if it will fail.
func (p traced) renamed(op callOp, from, to uint64, anew bool) fileCall {
	c := fileCall{op: op, path: p.string(from), to: p.string(to)}
	if !exists(c.path) || anew && exists(c.to) {
		return fileCall{}
	}
	return c
}
