//go:build !asan

package sqlite

const asan = false
