package open_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nearlite/nearlite/storage"
	"github.com/nearlite/nearlite/storage/open"
)

// Two writers of one log: each slot of it has one winner.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	log, err := open.Store(ctx, filepath.Join(dir, "log"), nil) // or "s3://bucket/log?region=…"
	if err != nil {
		panic(err)
	}
	defer log.Close()
	for _, writer := range []string{"Alice", "Bob"} {
		_, err := log.Create(ctx, "slot/0001", storage.Bytes([]byte(writer)))
		switch {
		case err == nil:
			fmt.Println(writer, "has it")
		case errors.Is(err, storage.ErrExist):
			winner, _, _ := storage.ReadAll(ctx, log, "slot/0001")
			fmt.Printf("%s is too late, %s has it\n", writer, winner)
		}
	}
	// Output:
	// Alice has it
	// Bob is too late, Alice has it
}

// A small object that says where things are is replaced by comparing and swapping.
func Example_replace() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := open.Store(ctx, dir, nil)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	first, _ := s.Create(ctx, "head", storage.Bytes([]byte("1")))
	_, err = s.Replace(ctx, "head", storage.Bytes([]byte("2")), first.Version)
	fmt.Println(err)
	_, err = s.Replace(ctx, "head", storage.Bytes([]byte("3")), first.Version)
	fmt.Println(errors.Is(err, storage.ErrConflict))
	// Output:
	// <nil>
	// true
}
