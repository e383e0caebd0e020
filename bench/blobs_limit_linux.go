//go:build amd64 || arm64

package bench

import (
	"math/rand/v2"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// measureLimit takes the time of the steps that a read is made of, on the
// database's own bytes and while nobody has it open: closing any descriptor of a
// file gives up the locks that SQLite holds on it.
func (s *blobSet) measureLimit() (limit BlobsLimit, err error) {
	file, err := os.Open(s.DB)
	if err != nil {
		return limit, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return limit, err
	}
	mapped, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return limit, os.NewSyscallError("mmap", err)
	}
	defer unix.Munmap(mapped)
	buf := make([]byte, min(s.Size, len(mapped)))
	room := len(mapped) - len(buf) + 1
	fd, to := file.Fd(), uintptr(unsafe.Pointer(unsafe.SliceData(buf)))
	times := max(1000, min(20_000, 1<<28/s.Size))
	limit.Call = micros(each(times, func(*rand.Rand) { unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0) }))
	limit.Read = micros(each(times, func(random *rand.Rand) {
		unix.RawSyscall6(unix.SYS_PREAD64, fd, to, uintptr(len(buf)), uintptr(random.IntN(room)), 0, 0)
	}))
	limit.Copy = micros(each(times, func(random *rand.Rand) {
		at := random.IntN(room)
		copy(buf, mapped[at:])
	}))
	return limit, nil
}

// each returns what one of many calls takes, at the best of several tries over
// the same places, when the first has filled the caches.
func each(times int, fn func(random *rand.Rand)) time.Duration {
	best := time.Duration(1<<63 - 1)
	for try := range 5 {
		random := rand.New(rand.NewPCG(1, 2))
		began := time.Now()
		for range times {
			fn(random)
		}
		if try > 0 {
			best = min(best, time.Since(began))
		}
	}
	return best / time.Duration(times)
}
