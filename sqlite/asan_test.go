//go:build asan

package sqlite

// asan says that the address sanitizer watches. It keeps freed memory back,
// changes what the compiler can leave on the stack, and takes frames of C that a
// Goexit skipped for living ones.
const asan = true
