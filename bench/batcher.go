package bench

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
)

// batcher is what one writes by hand over database/sql to have many callers
// share a commit: a channel, one goroutine that runs whatever waits in one
// transaction, and an answer to each caller after the commit.
type batcher struct {
	db         *sql.DB // has one connection
	savepoints bool    // each transaction in a savepoint; otherwise a failure fails them all
	prepared   batchStmts
	jobs       chan *job
	done       chan struct{} // closed when the goroutine has returned

	commits atomic.Uint64
}

// batchMax is the most transactions in one commit.
const batchMax = 1000

// job is one caller's transaction.
type job struct {
	run    func(ctx context.Context, tx batchStmts) error
	answer chan error
	failed error // what run returned, while the commit is under way
}

// batchStmts are the statements that transactions are made of.
type batchStmts struct {
	updates                      []*sql.Stmt
	savepoint, release, rollback *sql.Stmt
}

func startBatcher(ctx context.Context, db *sql.DB, updates []string, savepoints bool) (_ *batcher, err error) {
	b := &batcher{db: db, savepoints: savepoints, jobs: make(chan *job, batchMax), done: make(chan struct{})}
	if b.prepared.updates, err = prepareAll(ctx, db, updates); err != nil {
		return nil, err
	}
	err = prepare(ctx, db, map[string]**sql.Stmt{
		"SAVEPOINT one":             &b.prepared.savepoint,
		"RELEASE one":               &b.prepared.release,
		"ROLLBACK TO SAVEPOINT one": &b.prepared.rollback,
	})
	if err != nil {
		return nil, err
	}
	go b.serve(context.WithoutCancel(ctx))
	return b, nil
}

// do runs a caller's transaction and returns when it is committed.
func (b *batcher) do(j *job) error {
	b.jobs <- j
	return <-j.answer
}

// stop returns when everything sent has been answered. Nothing may be sent any
// more.
func (b *batcher) stop() {
	close(b.jobs)
	<-b.done
}

func (b *batcher) serve(ctx context.Context) {
	defer close(b.done)
	batch := make([]*job, 0, batchMax)
	for first := range b.jobs {
		batch = b.collect(append(batch[:0], first))
		err := b.commit(ctx, batch)
		for _, j := range batch {
			if err != nil {
				j.failed = err
			}
			j.answer <- j.failed
		}
	}
}

// collect takes what waits, and waits for nothing.
func (b *batcher) collect(batch []*job) []*job {
	for len(batch) < batchMax {
		select {
		case j, open := <-b.jobs:
			if !open {
				return batch
			}
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

func (b *batcher) commit(ctx context.Context, batch []*job) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	in := b.prepared.in(ctx, tx)
	for _, j := range batch {
		if !b.savepoints {
			if err := j.run(ctx, in); err != nil {
				return err
			}
			continue
		}
		if j.failed, err = in.isolated(ctx, j); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	b.commits.Add(1)
	return nil
}

// isolated runs a transaction in a savepoint. Its own failure is the first
// result, one that is everybody's the second.
func (s batchStmts) isolated(ctx context.Context, j *job) (failed, err error) {
	if _, err := s.savepoint.ExecContext(ctx); err != nil {
		return nil, fmt.Errorf("savepoint: %w", err)
	}
	if failed = j.run(ctx, s); failed != nil {
		if _, err := s.rollback.ExecContext(ctx); err != nil {
			return nil, fmt.Errorf("rollback to the savepoint: %w", err)
		}
	}
	if _, err := s.release.ExecContext(ctx); err != nil {
		return nil, fmt.Errorf("release the savepoint: %w", err)
	}
	return failed, nil
}

// in returns the statements as part of a transaction.
func (s batchStmts) in(ctx context.Context, tx *sql.Tx) batchStmts {
	in := batchStmts{
		savepoint: tx.StmtContext(ctx, s.savepoint),
		release:   tx.StmtContext(ctx, s.release),
		rollback:  tx.StmtContext(ctx, s.rollback),
	}
	for _, update := range s.updates {
		in.updates = append(in.updates, tx.StmtContext(ctx, update))
	}
	return in
}

// prepare prepares each text into its variable.
func prepare(ctx context.Context, db *sql.DB, stmts map[string]**sql.Stmt) (err error) {
	for text, stmt := range stmts {
		if *stmt, err = db.PrepareContext(ctx, text); err != nil {
			return fmt.Errorf("prepare %q: %w", text, err)
		}
	}
	return nil
}

// prepareAll prepares texts in order.
func prepareAll(ctx context.Context, db *sql.DB, texts []string) ([]*sql.Stmt, error) {
	stmts := make([]*sql.Stmt, len(texts))
	for i, text := range texts {
		if err := prepare(ctx, db, map[string]**sql.Stmt{text: &stmts[i]}); err != nil {
			return nil, err
		}
	}
	return stmts, nil
}
