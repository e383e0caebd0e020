//go:build !linux

package bench

import "time"

// Other systems keep these elsewhere; a report from them leaves the fields out.

func fileSystem(string) string { return "" }

func cpuTime() time.Duration { return 0 }

func peakMemory() int64 { return 0 }

func diskUse() DiskUse { return DiskUse{} }
