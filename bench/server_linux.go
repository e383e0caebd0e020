package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// cpuTime returns the processor time that a server which was started has used.
func (s *runningServer) cpuTime() time.Duration {
	if s.process == nil {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Process.Pid))
	if err != nil {
		return 0
	}
	// The second field is the program's name in parentheses; user and system
	// time are the 14th and 15th, in hundredths of a second.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory returns what it has resident, without pages of files.
func (s *runningServer) memory() int64 { return s.status("RssAnon") }

// resident returns all it has resident.
func (s *runningServer) resident() int64 { return s.status("VmRSS") }

func (s *runningServer) status(field string) int64 {
	if s.process == nil {
		return 0
	}
	return kilobytes(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid), field)
}
