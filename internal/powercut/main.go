//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are of the whole run; the host hands them on to its guest.
type settings struct {
	rounds   int
	controls int
	seed     uint64
	only     string
	evidence string // directory of the host for what a failed round leaves; "" is none
}

// flags declares those settings that both sides know.
func (s *settings) flags(f *flag.FlagSet) {
	f.IntVar(&s.rounds, "rounds", 20, "power cuts for each durability on each disk")
	f.IntVar(&s.controls, "controls", 5, "power cuts for each control on each disk")
	f.Uint64Var(&s.seed, "seed", 0, "of all that is random; 0 is a new one")
	f.StringVar(&s.only, "only", "", "run only the cases whose name contains this, for example full/cache")
	f.StringVar(&s.evidence, "evidence", "", "directory for the databases of rounds that failed")
}

// args is the other direction of flags.
func (s *settings) args() []string {
	return []string{
		fmt.Sprintf("-rounds=%d", s.rounds), fmt.Sprintf("-controls=%d", s.controls),
		fmt.Sprintf("-seed=%d", s.seed), "-only=" + s.only, "-evidence=" + s.evidence,
	}
}

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "guest":
		guestMain(os.Args[2:]) // powers the guest off
	case len(os.Args) > 1 && os.Args[1] == "write":
		err = writeMain(os.Args[2:])
	default:
		err = hostMain(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "powercut:", err)
		os.Exit(1)
	}
}

func hostMain(args []string) error {
	f := flag.NewFlagSet("powercut", flag.ExitOnError)
	var s settings
	s.flags(f)
	memory := f.String("memory", "1G", "of the guest; its disks are in it")
	timeout := f.Duration("timeout", time.Hour, "for everything")
	_ = f.Parse(args)
	if f.NArg() > 0 {
		return fmt.Errorf("%q is no flag", f.Arg(0))
	}
	if s.seed == 0 {
		s.seed = uint64(rand.Uint32())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	return boot(ctx, *memory, s)
}
