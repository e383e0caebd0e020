package main

import "io"

// Env is what a verb may touch of the world around it.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}
