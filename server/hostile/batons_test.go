package hostile

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nearlite/nearlite/server"
	"github.com/nearlite/nearlite/server/token"
)

// use sends a statement with a baton and returns the status and what was said.
func (c *client) use(baton, sql string) (int, string) {
	p := &pipe{c: c, baton: &baton}
	results, err := p.do(execute(sql))
	var e *apiError
	switch {
	case errors.As(err, &e):
		return e.Status, e.Code + " " + e.Message
	case err != nil:
		return 0, err.Error()
	case results[0].Error != nil:
		return 200, results[0].Error.Code + " " + results[0].Error.Message
	}
	return 200, "ok"
}

// A baton is good once, for whoever got it, on the database that it was made for; what
// looks like one is good for nothing.
func TestBatons(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Tokens: true})
	me := x.client()
	defer me.close()
	other := me.as(x.token(&token.Claims{Access: token.Write, IssuedAt: time.Now()}))
	reader := me.as(x.token(&token.Claims{Access: token.Read}))
	elsewhere := me.as(x.token(&token.Claims{Access: token.Write, Database: "other"}))
	nobody := me.as("")

	fresh := func(statements ...string) string {
		t.Helper()
		p := &pipe{c: me}
		for _, sql := range append([]string{"SELECT 1"}, statements...) {
			if err := p.run(sql); err != nil {
				t.Fatal(err)
			}
		}
		return *p.baton
	}
	check := func(what string, c *client, baton, want string) {
		t.Helper()
		status, said := c.use(baton, "SELECT 1")
		if got := fmt.Sprint(status, " ", said); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %.150s, want %s", what, got, want)
		}
	}

	idle, busy := fresh(), fresh("BEGIN", "UPDATE work SET body = body WHERE id = 1")
	for name, baton := range map[string]string{"idle": idle, "busy": busy} {
		check(name+", with another token", other, baton, "400")
		check(name+", with a token to read", reader, baton, "400")
		check(name+", with a token for another database", elsewhere, baton, "400")
		check(name+", with none", nobody, baton, "401")
		for i := range len(baton) {
			if i < 3 || i%37 == 0 || i > len(baton)-3 {
				check(fmt.Sprint(name, ", cut at ", i), me, baton[:i], "400")
				forged := []byte(baton)
				forged[i] ^= 1
				check(fmt.Sprint(name, ", changed at ", i), me, string(forged), "400")
			}
		}
		check(name+", longer", me, baton+"AAAA", "400")
		check(name+", twice", me, baton+baton, "400")
	}
	for name, baton := range map[string]string{
		"nothing": "", "garbage": "garbage", "zeros": base64.RawURLEncoding.EncodeToString(make([]byte, 200)),
		"a token": x.bearer, "enormous": strings.Repeat("A", 1<<20), "newlines": idle[:20] + "\n" + idle[20:], "no ASCII": "\x00\xff" + idle,
	} {
		check(name, me, baton, "400")
	}
	other.on = "other"
	me.on = "other" // the baton knows better
	if status, said := me.use(idle, "SELECT count(*) FROM work"); status != 200 || said != "ok" {
		t.Errorf("the baton is for main: %d %s", status, said)
	}
	me.on = ""
	check("replayed", me, idle, "400")
	check("in its transaction, after all this", me, busy, "200 ok")
	check("replayed in a transaction", me, busy, "400")

	ended := fresh("BEGIN", "INSERT INTO work (body) VALUES ('x')", "COMMIT")
	check("of a transaction that was committed", me, ended, "200 ok")
	p := &pipe{c: me}
	if _, err := p.do(execute("BEGIN"), closing); err != nil || p.baton != nil {
		t.Errorf("a closed stream has the baton %v, %v", p.baton, err)
	}
}

// A baton that many use at a time serves one of them.
func TestBatonRace(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{})
	c := x.client()
	for range size(5) {
		p := &pipe{c: c}
		if err := p.run("BEGIN"); err != nil {
			t.Fatal(err)
		}
		baton := *p.baton
		var all sync.WaitGroup
		var served atomic.Int64
		for range 10 {
			all.Go(func() {
				c := x.client()
				defer c.close()
				if status, _ := c.use(baton, "INSERT INTO work (body) VALUES ('race')"); status == 200 {
					served.Add(1)
				}
			})
		}
		all.Wait()
		if n := served.Load(); n != 1 {
			t.Errorf("%d of 10 were served", n)
		}
	}
	x.end(bounds{memory: 150})
}

// A token opens what it says and nothing else, until it expires.
func TestTokens(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Tokens: true})
	c := x.client()
	defer c.close()
	now := time.Now()
	good := x.token(&token.Claims{Access: token.Write})
	head, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	all := base64.RawURLEncoding.EncodeToString([]byte(`{"a":"rw","x":1}`))
	for _, tt := range []struct {
		name, token, on string
		status          int
	}{
		{"good", good, "", 200},
		{"good, another database", good, "other", 200},
		{"none", "", "", 401},
		{"garbage", "garbage", "", 401},
		{"expired", x.token(&token.Claims{Access: token.Write, Expires: now.Add(-time.Hour)}), "", 401},
		{"not yet", x.token(&token.Claims{Access: token.Write, NotBefore: now.Add(time.Hour)}), "", 401},
		{"for other, on main", x.token(&token.Claims{Access: token.Write, Database: "other"}), "", 403},
		{"for other, on other", x.token(&token.Claims{Access: token.Write, Database: "other"}), "other", 200},
		{"for nobody", x.token(&token.Claims{Permissions: &token.Permissions{}}), "", 403},
		{"for other by permission, on main", x.token(&token.Claims{Permissions: &token.Permissions{Write: []string{"other"}}}), "", 403},
		{"without its signature", head + "." + claims + ".", "", 401},
		{"with other claims", head + "." + all + "." + signature, "", 401},
		{"signed by nobody", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + all + ".", "", 401},
		{"signed by a secret", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + all + "." + signature, "", 401},
		{"cut", good[:len(good)-1], "", 401},
		{"long", good + strings.Repeat("A", 50_000), "", 401},
	} {
		c := c.as(tt.token)
		c.on = tt.on
		for _, ask := range []func() error{
			func() error { _, err := c.query("SELECT 1"); return err },
			func() error { return (&pipe{c: c}).run("SELECT 1") },
			func() error { _, err := c.post("/v1/execute", []byte(`{"stmt":{"sql":"SELECT 1"}}`)); return err },
			func() error { _, err := c.post("/", []byte(`{"statements":["SELECT 1"]}`)); return err },
			func() error {
				_, err := c.post("/v3/cursor", []byte(`{"batch":{"steps":[{"stmt":{"sql":"SELECT 1"}}]}}`))
				return err
			},
		} {
			var e *apiError
			status := 200
			if err := ask(); errors.As(err, &e) {
				status = e.Status
			} else if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if status != tt.status {
				t.Errorf("%s: %d, want %d: %v", tt.name, status, tt.status, e)
			}
		}
	}
}

// writesAll are all the ways to write that there are.
var writesAll = []string{
	"INSERT INTO work (body) VALUES ('written')",
	"INSERT INTO work (body) VALUES ('written') RETURNING id",
	"REPLACE INTO work (id, body) VALUES (1, 'written')",
	"UPDATE work SET body = 'written'",
	"UPDATE work SET body = 'written' WHERE id = 1 RETURNING body",
	"DELETE FROM work",
	"WITH x AS (SELECT 1) INSERT INTO work (body) SELECT 'written' FROM x",
	"WITH x AS (SELECT 1) DELETE FROM work RETURNING id",
	"CREATE TABLE written (a)",
	"CREATE TABLE written AS SELECT 1",
	"CREATE TEMP TABLE written (a)",
	"CREATE VIEW written AS SELECT 1",
	"CREATE INDEX written ON work (body)",
	"CREATE TRIGGER written AFTER INSERT ON work BEGIN SELECT 1; END",
	"CREATE VIRTUAL TABLE written USING fts5(a)",
	"DROP TABLE work",
	"ALTER TABLE work ADD COLUMN written",
	"ALTER TABLE work RENAME TO written",
	"PRAGMA user_version = 7",
	"PRAGMA application_id = 7",
	"PRAGMA writable_schema = ON",
	"PRAGMA journal_mode = DELETE",
	"PRAGMA query_only = OFF",
	"PRAGMA wal_checkpoint(TRUNCATE)",
	"PRAGMA incremental_vacuum",
	"PRAGMA optimize",
	"SELECT * FROM pragma_user_version(7)",
	"UPDATE sqlite_schema SET sql = 'written'",
	"INSERT INTO sqlite_sequence VALUES ('work', 7)",
	"ANALYZE", "REINDEX", "VACUUM", "VACUUM INTO 'written.db'",
	"ATTACH 'written.db' AS written", "ATTACH ':memory:' AS written",
	"SELECT load_extension('written')",
	"SELECT writefile('written.txt', 'x')",
	"SELECT edit('x')",
	"SELECT fts3_tokenizer('written', x'00')",
	"/* a comment */ INSERT INTO work (body) VALUES ('written')",
	"; INSERT INTO work (body) VALUES ('written')",
	"EXPLAIN DELETE FROM work; DELETE FROM work",
	"\ufeffINSERT INTO work (body) VALUES ('written')",
}

// A token that may only read changes nothing by any of the ways there are to write,
// at any of the doors.
func TestReadOnlyToken(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{Tokens: true})
	owner := x.client()
	defer owner.close()
	state := func() string {
		t.Helper()
		var all []string
		for _, sql := range []string{
			"SELECT count(*), sum(length(body)), max(id) FROM work", "SELECT name, sql FROM sqlite_schema ORDER BY 1, 2",
			"PRAGMA user_version", "PRAGMA application_id", "PRAGMA journal_mode",
		} {
			got, err := owner.query(sql)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, got)
		}
		return strings.Join(all, "\n")
	}
	before := state()
	reader := owner.as(x.token(&token.Claims{Access: token.Read}))
	for _, sql := range writesAll {
		text, _ := json.Marshal(sql)
		quoted := string(text)
		for _, door := range []struct{ path, body string }{
			{"/v1/query", `{"sql":` + quoted + `}`},
			{"/v1/query?format=csv", `{"statements":[{"sql":"SELECT 1"},{"sql":` + quoted + `}]}`},
			{"/v1/execute", `{"stmt":{"sql":` + quoted + `}}`},
			{"/v1/batch", `{"batch":{"steps":[{"stmt":{"sql":"BEGIN IMMEDIATE"}},{"stmt":{"sql":` + quoted + `}},{"stmt":{"sql":"COMMIT"}}]}}`},
			{"/", `{"statements":[` + quoted + `]}`},
			{"/", `{"statements":["BEGIN EXCLUSIVE",` + quoted + `,"COMMIT"]}`},
			{"/v2/pipeline", `{"requests":[` + execute(sql) + `]}`},
			{"/v2/pipeline", `{"requests":[` + execute("BEGIN IMMEDIATE") + `,` + execute(sql) + `,` + execute("COMMIT") + `]}`},
			{"/v2/pipeline", `{"requests":[` + execute("SAVEPOINT a") + `,` + execute(sql) + `,` + execute("RELEASE a") + `]}`},
			{"/v2/pipeline", `{"requests":[` + execute("PRAGMA foreign_keys = OFF") + `,` + execute(sql) + `]}`},
			{"/v2/pipeline", `{"requests":[` + execute("PRAGMA foreign_keys = OFF") + `,` + execute("BEGIN") + `,` + execute(sql) + `,` + execute("COMMIT") + `]}`},
			{"/v2/pipeline", `{"requests":[{"type":"sequence","sql":` + quoted + `}]}`},
			{"/v2/pipeline", `{"requests":[{"type":"sequence","sql":"BEGIN;` + quoted[1:len(quoted)-1] + `;COMMIT"}]}`},
			{"/v2/pipeline", `{"requests":[{"type":"store_sql","sql_id":1,"sql":` + quoted + `},{"type":"execute","stmt":{"sql_id":1}}]}`},
			{"/v2/pipeline", `{"requests":[{"type":"describe","sql":` + quoted + `}]}`},
			{"/v3/pipeline", `{"requests":[` + batch("BEGIN", sql, "COMMIT") + `]}`},
			{"/v3/cursor", `{"batch":{"steps":[{"stmt":{"sql":` + quoted + `}}]}}`},
		} {
			_, err := reader.post(door.path, []byte(door.body))
			var e *apiError
			if err != nil && (!errors.As(err, &e) || e.Status >= 500 && e.Code != "SQLITE_NOMEM") {
				t.Errorf("%s to %s: %v", sql, door.path, err)
			}
		}
		x.socket(reader.token, sql)
	}
	for _, admin := range []struct{ method, path, body string }{
		{"POST", "/v1/databases", `{"name":"written"}`},
		{"DELETE", "/v1/databases/other", ""},
		{"PATCH", "/v1/databases/other", `{"name":"written"}`},
		{"PUT", "/v1/databases/written", "CREATE TABLE a (b);"},
		{"POST", "/v1/namespaces/written/create", "{}"},
		{"DELETE", "/v1/namespaces/other", ""},
	} {
		if status := reader.call(admin.method, admin.path, admin.body); status < 400 || status >= 500 {
			t.Errorf("%s %s: %d", admin.method, admin.path, status)
		}
	}
	if after := state(); after != before {
		t.Errorf("a token that may only read has written:\n%s\nwas\n%s", after, before)
	}
	if _, err := owner.as(reader.token).query("SELECT count(*) FROM work"); err != nil {
		t.Errorf("it may not even read: %v", err)
	}
	x.end(bounds{memory: 200})
}

// Ten thousand streams that nobody closes, their fifty stored texts each; then all
// their batons are used.
func TestManyStreams(t *testing.T) {
	x := begin(t, setting{Server: server.Options{Memory: 128 << 20}})
	x.reads()
	x.writes()
	n := size(10_000)
	batons := make([]string, n)
	each(8, n, func(c *client, i int) {
		p := &pipe{c: c}
		if err := p.run("INSERT INTO work (body) VALUES ('stream')"); err != nil || p.baton == nil {
			t.Error(err)
			return
		}
		batons[i] = *p.baton
	}, x)
	t.Logf("%d streams are open: %d MB", n, x.memory()>>10)
	var stores []string
	for i := range 50 {
		stores = append(stores, fmt.Sprintf(`{"type":"store_sql","sql_id":%d,"sql":"SELECT %d /* %s */"}`, i, i, strings.Repeat("x", 4900)))
	}
	each(8, n/20, func(c *client, i int) {
		p := &pipe{c: c, baton: &batons[i]}
		if results, err := p.do(stores...); err != nil || p.baton == nil || results[49].Error != nil {
			t.Error(err)
			return
		}
		batons[i] = *p.baton
	}, x)
	t.Logf("with the texts of %d of them: %d MB", n/20, x.memory()>>10)
	each(8, n, func(c *client, i int) {
		p := &pipe{c: c, baton: &batons[i]}
		request := execute("SELECT 1")
		if i < n/20 {
			request = `{"type":"execute","stmt":{"sql_id":49}}`
		}
		results, err := p.do(request, closing)
		if err != nil || results[0].Error != nil {
			t.Errorf("stream %d: %v", i, err)
		}
	}, x)
	x.end(bounds{memory: 400})
}

// each does n things with k clients.
func each(k, n int, do func(c *client, i int), x *target) {
	var all sync.WaitGroup
	var next atomic.Int64
	for range k {
		all.Go(func() {
			c := x.client()
			defer c.close()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(c, i)
			}
		})
	}
	all.Wait()
}

// A thousand clients that begin a writing transaction and vanish, half of them with
// their sockets open. Others write meanwhile, in transactions too.
func TestVanishedTransactions(t *testing.T) {
	t.Parallel()
	x := begin(t, setting{})
	x.reads()
	x.writes()
	x.transacts()
	var codes sync.Map
	n := size(1000)
	var all sync.WaitGroup
	slots := make(chan struct{}, 500)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			c := x.client()
			if i%2 == 0 {
				defer c.close()
			}
			c.http.Timeout = 2 * time.Second
			defer func() { <-slots }()
			p := &pipe{c: c}
			for _, sql := range []string{"BEGIN IMMEDIATE", "INSERT INTO work (body) VALUES ('vanished')"} {
				if err := p.run(sql); err != nil {
					codes.Store(codeOf("", err), true)
					return
				}
			}
		})
	}
	all.Wait()
	codes.Range(func(code, _ any) bool { t.Logf("told: %.100v", code); return true })
	if got, err := x.client().query("SELECT count(*) FROM work WHERE body = 'vanished'"); err != nil || got != "[[0]]" {
		t.Errorf("%s rows of transactions that nobody has committed, %v", got, err)
	}
	x.end(bounds{memory: 300, requests: 5, goroutines: 1200}) // the sockets that are open have one each
}
