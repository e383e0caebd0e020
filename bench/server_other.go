//go:build !linux

package bench

import "time"

func (s *runningServer) cpuTime() time.Duration { return 0 }

func (s *runningServer) memory() int64 { return 0 }

func (s *runningServer) resident() int64 { return 0 }
