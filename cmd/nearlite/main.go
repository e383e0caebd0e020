// Command nearlite works on SQLite databases: a shell, a check, a backup while
// others write, and the benchmarks of the engine. Each verb has a file of its own.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], &Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}))
}
