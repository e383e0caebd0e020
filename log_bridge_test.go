package nearlite_test

import (
	"context"
	"io"
	"log/slog"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/archive"
	"github.com/nearlite/nearlite/storage"
)

func init() {
	nearlite.Archives.Open = func(ctx context.Context, s storage.Store, o nearlite.ArchiveOptions) (nearlite.Log, func() error, error) {
		a, err := archive.Open(ctx, s, &archive.Options{
			Patience: o.Patience, EntryRetention: o.EntryRetention, Maintain: o.Maintain,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			return nil, nil, err
		}
		return a, a.Close, nil
	}
	nearlite.Archives.Restore = func(ctx context.Context, s storage.Store, dest string) (nearlite.Head, error) {
		return archive.Restore(ctx, s, dest, archive.RestoreOptions{})
	}
}
