package bench

import (
	"context"

	"github.com/nearlite/nearlite"
)

// ours is reads on the engine: View, and a statement that it keeps prepared.
type ours struct {
	db    *nearlite.DB
	query ReadQuery
}

func openOurs(ctx context.Context, r Reads) (readSystem, error) {
	db, err := nearlite.Open(ctx, r.DB, nil)
	if err != nil {
		return nil, err
	}
	return &ours{db: db, query: r.Query}, nil
}

func (o *ours) reader(_ context.Context, pick picker) (reader, error) {
	// The closures are made once, so that asking allocates nothing.
	asker := &oursReader{pick: pick}
	view := map[ReadQuery]func(*nearlite.ReadTx) error{
		Perftest:  asker.perftest,
		OneRow:    asker.perftest,
		Point:     asker.point,
		SelectOne: asker.selectOne,
	}[o.query]
	return func(ctx context.Context) error { return o.db.View(ctx, view) }, nil
}

func (o *ours) close() error { return o.db.Close() }

// oursReader keeps what it has read, so that reading is not for nothing.
type oursReader struct {
	pick    picker
	number  int64
	average float64
}

func (o *oursReader) perftest(tx *nearlite.ReadTx) error {
	row := tx.QueryRow(perftestSQL)
	if err := row.Err(); err != nil {
		return err
	}
	o.number, o.average = row.Int64(0), row.Float64(1)
	return nil
}

func (o *oursReader) point(tx *nearlite.ReadTx) error {
	row := tx.QueryRow(pointSQL, o.pick.next())
	if err := row.Err(); err != nil {
		return err
	}
	o.number = row.Int64(0)
	return nil
}

func (o *oursReader) selectOne(tx *nearlite.ReadTx) error {
	row := tx.QueryRow(selectOneSQL)
	if err := row.Err(); err != nil {
		return err
	}
	o.number = row.Int64(0)
	return nil
}
