// Package lint holds the rules of this repository that no compiler checks: which
// package may import which (the floors of docs/ARCHITECTURE.md), and what a
// committed file must or must not contain. They run as ordinary tests, so that
// `go test ./...` is the linter.
//
// Every rule is a function from plain data to a list of problems; the tests apply
// it once to this repository and once to a repository that breaks it.
package lint
