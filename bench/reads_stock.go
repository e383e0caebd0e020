package bench

import (
	"context"
	"database/sql"
	"fmt"
)

// stock is reads on database/sql and mattn/go-sqlite3: one statement, prepared
// once, on the default pool.
type stock struct {
	mattnDB
	query ReadQuery
	stmt  *sql.Stmt
}

func openStock(ctx context.Context, r Reads) (readSystem, error) {
	db, err := openMattnDB(r.DB, Full)
	if err != nil {
		return nil, err
	}
	stmt, err := db.PrepareContext(ctx, r.Query.sql())
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("prepare the query: %w", err)
	}
	return &stock{mattnDB: db, query: r.Query, stmt: stmt}, nil
}

func (s *stock) reader(_ context.Context, pick picker) (reader, error) {
	switch s.query {
	case Perftest, OneRow:
		return func(ctx context.Context) error {
			var count int64
			var average sql.NullFloat64
			return s.stmt.QueryRowContext(ctx).Scan(&count, &average)
		}, nil
	case Point:
		return func(ctx context.Context) error {
			var balance int64
			return s.stmt.QueryRowContext(ctx, pick.next()).Scan(&balance)
		}, nil
	default:
		return func(ctx context.Context) error {
			var one int64
			return s.stmt.QueryRowContext(ctx).Scan(&one)
		}, nil
	}
}
