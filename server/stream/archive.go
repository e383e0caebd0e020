package stream

import (
	"errors"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/hrana"
	"github.com/nearlite/nearlite/storage"
)

// What a client is told when the archive keeps the server from an answer. Of each,
// nothing was changed.
const (
	CodeArchiveFenced      = "ARCHIVE_FENCED"      // another server has the database now
	CodeArchiveMismatch    = "ARCHIVE_MISMATCH"    // the files here and the archive do not belong together
	CodeArchiveBehind      = "ARCHIVE_BEHIND"      // it lags further behind than it may
	CodeArchiveUnavailable = "ARCHIVE_UNAVAILABLE" // it did not take the commit, or could not be asked
)

// Archive returns what a client is told of an error that is the archive's; nil if it
// is none. Where the archive is, and what its storage says, is the operator's
// business: they find it in the log and in “nearlite archive status”.
func Archive(err error) *hrana.Error {
	var by *nearlite.FencedError
	var store *storage.Error
	switch {
	case errors.As(err, &by):
		return &hrana.Error{Code: CodeArchiveFenced, Message: "another server has this database now: " + by.Error()}
	case errors.Is(err, nearlite.ErrFenced):
		return &hrana.Error{Code: CodeArchiveFenced, Message: "another server has gone on with this database"}
	case errors.Is(err, nearlite.ErrLogMismatch):
		return &hrana.Error{Code: CodeArchiveMismatch, Message: "the database's file and its archive do not belong together; nothing was changed"}
	case errors.Is(err, nearlite.ErrLogBehind):
		return &hrana.Error{Code: CodeArchiveBehind, Message: "the archive is further behind than it may be: nothing was written; try again"}
	case errors.Is(err, nearlite.ErrNotCommitted), errors.As(err, &store):
		return &hrana.Error{Code: CodeArchiveUnavailable, Message: "the archive cannot be reached, or refuses: nothing was written; try again"}
	}
	return nil
}

// ArchiveFailure says in a few words why an entry is not in the archive.
func ArchiveFailure(err error) string {
	if told := Archive(err); told != nil {
		return told.Message
	}
	return "nobody knows yet whether the archive has the last entry"
}
