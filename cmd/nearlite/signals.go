package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// signalled is why a verb ends early; to everybody else it is the end of a context.
type signalled struct{ signal syscall.Signal }

// Error names the signal.
func (s signalled) Error() string { return s.signal.String() }

// Is makes it a canceled context to who asks.
func (signalled) Is(target error) bool { return target == context.Canceled }

// untilSignal returns a context that the first Ctrl-C, SIGTERM or SIGHUP ends;
// the second ends the process. A SIGHUP that is ignored stays so: that is what
// nohup is for.
func untilSignal(ctx context.Context) (_ context.Context, stop func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, signals...)
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		defer signal.Stop(arrived)
		select {
		case s := <-arrived:
			// First of all: who knows that it has come, and sends another one, means it.
			// Those that come together with it, as timeout(1) sends them, are one.
			signal.Stop(arrived)
			cancel(signalled{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// exitOf is what a verb that ctx has ended exits with, as shells count: 128 and
// the number of the signal.
func exitOf(ctx context.Context) int {
	if s := (signalled{}); errors.As(context.Cause(ctx), &s) {
		return 128 + int(s.signal)
	}
	return exitInterrupted
}
