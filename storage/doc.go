// Package storage is about named immutable objects: what a log, a snapshot or a
// backup needs of a bucket of an object store, or of a directory, and no more.
//
//	s, err := open.Store(ctx, "s3://backups/app?region=eu-central-1")
//	…
//	_, err = s.Create(ctx, "ltx/0000000000000001.ltx", storage.Bytes(entry))
//	switch {
//	case err == nil:
//		// It is stored, and we stored it.
//	case errors.Is(err, storage.ErrExist):
//		// It is not: another object has that key. storage.Holds says whether it is the same.
//	case errors.Is(err, storage.ErrUnknown):
//		// It may be. Create again with the same content, until it is one of the others.
//	default:
//		// It is certainly not. errors.Is(err, storage.ErrUnavailable): it may be worth trying later.
//	}
//
// Package storage/file keeps objects in a directory, package storage/s3 in a
// bucket of S3 or of something that speaks its protocol, and package storage/open
// makes either of them from a URL. Package storage/storagetest is the suite that
// both pass, and that another implementation has to.
//
// # What a store promises
//
// Atomicity: an object is there with all its bytes or not at all, whatever dies.
// Nobody ever reads a part of an object that is being written.
//
// Durability: when Create or Replace returns without an error, the object
// survives the loss of power (file) or whatever the service promises (S3: eleven
// nines). The same holds for an object that ErrExist or Holds tells of. When
// Delete has returned, the object stays gone.
//
// One winner: of all Creates of one key, in all processes on all machines, one
// succeeds and the others get ErrExist. Of all Replaces of one version one
// succeeds and the others get ErrConflict. There are no leases and no clocks in
// that.
//
// Order: what a Create, Replace or Delete did before it returned is seen by every
// operation that begins afterwards, List included, in whatever process. List is
// in the order of the keys' bytes.
//
// Three outcomes: a write is done, or certainly not, or it is not known
// ([ErrUnknown]): the answer was lost and nothing that could be asked afterwards
// settled it. A store tries again by itself, and recognises its own object when
// a first try had been successful after all: that is a success, and never
// reported as ErrExist.
//
// # What it does not
//
// There is no rename, no append and no write without a condition. Keys are not
// kept apart from their prefixes everywhere: a directory cannot hold both "a" and
// "a/b", nor can several S3 servers, so do not use both. A disk may hold keys for
// one that differ in case or in Unicode normalisation only.
package storage
