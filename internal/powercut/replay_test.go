//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// writeLog writes a log as the kernel does: one sector of 512 bytes per letter.
func writeLog(entries []logged, letters string) []byte {
	log := make([]byte, 512)
	head := func(at []byte, words ...uint64) {
		for i, w := range words {
			binary.LittleEndian.PutUint64(at[8*i:], w)
		}
	}
	head(log, logMagic, 1, uint64(len(entries)), 512)
	for _, e := range entries {
		sector := make([]byte, 512)
		head(sector, uint64(e.at/512), uint64(e.size/512), e.flags, uint64(len(e.mark)))
		copy(sector[logHeadBytes:], e.mark)
		log = append(log, sector...)
		for range e.size / 512 {
			if e.flags&logDiscard == 0 {
				log = append(log, bytes.Repeat([]byte(letters[:1]), 512)...)
				letters = letters[1:]
			}
		}
	}
	return log
}

// What was flushed is always there, the rest now and then, each sector by itself.
func TestReplay(t *testing.T) {
	t.Parallel()
	log := writeLog([]logged{
		{at: 8192, size: 1024},
		{at: 8704, size: 512},
		{at: 8192, size: 512, flags: logDiscard},
		{flags: logMark, mark: cutMark},
		{at: 9216, size: 1024},
		{flags: logMark, mark: "end"},
	}, "abcde")
	seen := keptOf(t, log, 8192, 8704, 9216, 9728)
	if len(seen) != 4 || seen["ac.."] == 0 || seen["acd."] == 0 || seen["ac.e"] == 0 || seen["acde"] == 0 {
		t.Errorf("the disk kept %v", seen)
	}
}

func TestSuperblockIsWhole(t *testing.T) {
	t.Parallel()
	log := writeLog([]logged{{flags: logMark, mark: cutMark}, {at: 0, size: 4608}}, "abcdefghi")
	seen := keptOf(t, log, 0, 1024, 1536, 3584, 4096)
	if len(seen) != 4 || seen["....."] == 0 || seen["acdhi"] == 0 || seen["acdh."] == 0 || seen["....i"] == 0 {
		t.Errorf("the disk kept %v", seen)
	}
}

// keptOf replays a log many times and returns what was at these places.
func keptOf(t *testing.T, log []byte, places ...int) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for seed := range uint64(200) {
		image, err := os.Create(filepath.Join(t.TempDir(), "image"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := image.Write(bytes.Repeat([]byte{'.'}, 10240)); err != nil {
			t.Fatal(err)
		}
		if err := replay(bytes.NewReader(log), image, rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 10240)
		if _, err := image.ReadAt(data, 0); err != nil {
			t.Fatal(err)
		}
		image.Close()
		var kept []byte
		for _, at := range places {
			kept = append(kept, data[at])
		}
		seen[string(kept)]++
	}
	return seen
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	whole := writeLog([]logged{{at: 0, size: 512}, {flags: logMark, mark: cutMark}}, "a")
	tests := map[string][]byte{
		"nothing":   nil,
		"no log":    make([]byte, 4096),
		"half":      whole[:1024],
		"no mark":   writeLog([]logged{{at: 0, size: 512}}, "a"),
		"no sector": append(bytes.Clone(whole[:24]), make([]byte, 1024)...),
	}
	for name, log := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image, err := os.Create(filepath.Join(t.TempDir(), "image"))
			if err != nil {
				t.Fatal(err)
			}
			defer image.Close()
			if err := replay(bytes.NewReader(log), image, rand.New(rand.NewPCG(1, 1))); err == nil {
				t.Error("it was replayed")
			}
		})
	}
}
