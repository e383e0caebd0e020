package hostile

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A share is what the machine's processors have done since it was started, in ticks of
// their clocks.
type share struct {
	at     time.Time
	cores  int64
	all    int64 // the time there was, used or not
	others int64 // what others used than the server under attack and its attackers
}

// tick is the unit of all that.
const tick = 10 * time.Millisecond

const (
	// stretchMax is how much longer the bounds on time become at most.
	stretchMax = 10
	// stretchSlow is from when on a client that means well may be one that is too slow
	// for the server, since it had no processor for so long.
	stretchSlow = 2
)

// share looks at the processors. A figure of Linux, as those of memory; where it cannot
// be had the bounds are what they are.
func (x *target) share() (now share) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return now
	}
	now.at, now.cores = time.Now(), int64(strings.Count(string(text), "\ncpu"))
	first, _, _ := strings.Cut(string(text), "\n")
	// user, nice, system, idle, iowait, irq, softirq, steal, and twice guests, who are
	// among the users.
	for i, field := range strings.Fields(first)[1:] {
		n, _ := strconv.ParseInt(field, 10, 64)
		switch i {
		case 0, 1, 2, 7:
			now.others += n
			now.all += n
		case 3, 4, 5, 6: // softirq is the network, which may be ours
			now.all += n
		}
	}
	now.others -= ticks(x.cmd.Process.Pid) + ticks(os.Getpid())
	return now
}

// ticks returns the processors' time that a process has used.
func ticks(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may have blanks; the times are the 12th and 13th after it.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return user + system
}

// stretch returns how many times as long things take, since the attack began, as on a
// machine that nobody else uses: with half of the processors twice as long. Time that
// no clock of theirs has counted is others': a virtual machine stood still.
func (x *target) stretch() float64 {
	now := x.share()
	all, others := now.all-x.before.all, now.others-x.before.others
	if lost := now.cores*int64(now.at.Sub(x.before.at)/tick) - all; lost > 0 {
		all, others = all+lost, others+lost
	}
	if all <= 0 || others <= 0 {
		return 1
	}
	return min(float64(all)/float64(max(1, all-others)), stretchMax)
}

// stretched is a bound on time as it is on a machine that nobody else uses, in what it
// is on this one.
func (x *target) stretched(d time.Duration) time.Duration {
	return time.Duration(float64(d) * x.stretch())
}
