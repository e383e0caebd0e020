// Package storagetest tests implementations of [storage.Store], and what is built
// on them.
//
// [Run] is the suite that every implementation passes:
//
//	func TestConformance(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) func() storage.Store {
//			dir := t.TempDir()
//			return func() storage.Store { … open dir … }
//		})
//	}
//
// [Faulty] puts a store between a test and another store that loses answers, fails
// and dawdles as it is told. [Proxy] does the same one floor below, between an
// HTTP client and its server, where the client's own tries come through.
package storagetest
