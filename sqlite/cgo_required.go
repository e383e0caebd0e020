//go:build !cgo

package sqlite

// SQLite is written in C, so this package needs a C compiler. Without one, or
// with CGO_ENABLED=0, every other file of the package drops out of the build and
// the compiler would list names it cannot find. This declaration does not compile
// on purpose: the compiler checks types first and quotes the text, so the first
// line a reader sees says what to install:
//
//	Debian, Ubuntu  apt-get install gcc libc6-dev
//	Alpine          apk add gcc musl-dev
//	Fedora          dnf install gcc
//	macOS           xcode-select --install
type cgoRequired ["Nearlite needs cgo: install gcc or clang, then set CGO_ENABLED=1"]byte
