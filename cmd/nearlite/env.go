package main

import "io"

// Env is what a verb may touch of the world around it. (Declared here until
// main.go does; whoever writes main.go may take it over.)
type Env struct {
	Stdout, Stderr io.Writer
}
