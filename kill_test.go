package nearlite

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

const killCallers = 24

func init() { roles["killed"] = writeUntilKilled }

// A process that is killed at random moments loses nothing it has acknowledged
// and leaves no half transaction, with either durability: what was written is in
// the kernel's hands.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 56
	if long {
		rounds = 1000
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	for lane, durability := range []Durability{Full, Normal} {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("kill-%v.db", durability))
		k := killed{t: t, path: path, durability: durability, acked: make([]int, killCallers)}
		for round := lane; round < rounds; round += 2 {
			k.round(round, rng)
			if t.Failed() {
				t.Fatalf("in round %d of seed %d", round, seed)
			}
		}
	}
}

type killed struct {
	t          *testing.T
	path       string
	durability Durability
	acked      []int // by caller, the last transaction it was told of
}

// round starts a writer, kills it, and looks at what it left.
func (k *killed) round(round int, rng *rand.Rand) {
	c := startChild(k.t, "killed", k.path, k.durability.String(), strconv.Itoa(round))
	if rng.IntN(8) == 0 { // somewhere on its way up
		time.Sleep(time.Duration(rng.IntN(20_000)) * time.Microsecond)
		c.cmd.Process.Kill()
	}
	kill := rng.IntN(1500)
	for n := 0; ; n++ {
		if n == kill {
			c.cmd.Process.Kill()
		}
		line, ok := c.line()
		if !ok {
			break
		}
		var caller, i int
		if m, _ := fmt.Sscanf(line, "%d %d.", &caller, &i); m == 2 && line[len(line)-1] == '.' {
			k.acked[caller] = i
		}
	}
	c.kill()
	k.check()
}

func (k *killed) check() {
	t := k.t
	if _, err := os.Stat(k.path); err != nil { // killed before it made the file
		return
	}
	db, err := Open(bg, k.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(bg, func(tx *ReadTx) error {
		if n, err := One[int](tx, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"); err != nil || n == 0 {
			return err
		}
		if n, err := One[int](tx, "SELECT count(*) FROM (SELECT caller, i FROM half GROUP BY caller, i HAVING count(*) <> 2)"); err != nil || n > 0 {
			t.Errorf("%d transactions are there by half: %v", n, err)
		}
		for caller, acked := range k.acked {
			for row, err := range tx.Query("SELECT coalesce(max(i), 0), count(*) FROM half WHERE caller = ?", caller) {
				if err != nil {
					return err
				}
				last, rows := row.Int(0), row.Int(1)
				if last < acked || last > acked+1 || rows != 2*last {
					t.Errorf("caller %d was told of %d transactions; the last one here is %d, of %d rows", caller, acked, last, rows)
				}
				k.acked[caller] = last // it is durable now, whether or not anybody knew
			}
		}
		if sum, err := One[int](tx, "SELECT sum(balance) FROM account"); err != nil || sum != 0 {
			t.Errorf("the balances sum up to %d: %v", sum, err)
		}
		s, err := One[string](tx, "PRAGMA integrity_check")
		if err == nil && s != "ok" {
			t.Errorf("integrity check: %s", s)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// writeUntilKilled is the child: many callers that write in all ways there are,
// and tell of each transaction that was acknowledged.
func writeUntilKilled(args []string) error {
	opts := &Options{CheckpointBytes: 128 << 10, PageMap: os.Getpid()%2 == 0, Logger: quiet}
	if args[1] == Normal.String() {
		opts.Durability = Normal
	}
	db, err := Open(bg, args[0], opts)
	if err != nil {
		return err
	}
	_, err = db.Batch(bg,
		Statement{SQL: "CREATE TABLE IF NOT EXISTS half(caller INT, i INT, filler, PRIMARY KEY(caller, i, filler))"},
		Statement{SQL: "CREATE TABLE IF NOT EXISTS account(id INTEGER PRIMARY KEY, balance INT)"},
		Statement{SQL: "WITH RECURSIVE r(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM r WHERE i < 99) INSERT OR IGNORE INTO account SELECT i, 0 FROM r"})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for caller := range killCallers {
		wg.Go(func() {
			i := int(0)
			db.View(bg, func(tx *ReadTx) (err error) {
				i, err = One[int](tx, "SELECT coalesce(max(i), 0) FROM half WHERE caller = ?", caller)
				return err
			})
			for err == nil {
				i++
				if err := writePair(db, caller, i); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Printf("%d %d.\n", caller, i) // one write
			}
		})
	}
	wg.Wait()
	return nil
}

// writePair writes two rows and moves an amount from one account to another.
func writePair(db *DB, caller, i int) error {
	filler := "0123456789abcdef0123456789abcdef"
	stmts := []Statement{
		{"INSERT INTO half VALUES (?, ?, ?)", []any{caller, i, filler}},
		{"UPDATE account SET balance = balance - ? WHERE id = ?", []any{i, i % 100}},
		{"UPDATE account SET balance = balance + ? WHERE id = ?", []any{i, (i + caller + 1) % 100}},
		{"INSERT INTO half VALUES (?, ?, ?)", []any{caller, i, "x" + filler}},
	}
	if i%10 == 0 { // a neighbour that makes the others run again
		db.Update(bg, func(tx *WriteTx) error {
			_, err := tx.Exec("INSERT OR ROLLBACK INTO account VALUES (0, 0)")
			return err
		})
	}
	switch caller % 4 {
	case 0:
		_, err := db.Batch(bg, stmts...)
		return err
	case 1:
		tx, err := db.Begin(bg, nil)
		for _, st := range stmts {
			if err == nil {
				_, err = tx.Exec(bg, st.SQL, st.Args...)
			}
		}
		if err != nil {
			return err
		}
		return tx.Commit(bg)
	}
	return db.Update(bg, func(tx *WriteTx) error {
		for _, st := range stmts {
			if _, err := tx.Exec(st.SQL, st.Args...); err != nil {
				return err
			}
		}
		return nil
	})
}
