package server

import (
	"crypto/ed25519"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server/token"
)

// secure is a bundle that asks for tokens, and what mints them.
func secure(t *testing.T, opts Options) (*bundle, func(*token.Claims) string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	opts.Keys = token.Fixed(public)
	b := setup(t, opts)
	return b, func(c *token.Claims) string {
		text, err := token.Mint(private, c)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + text
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b, mint := secure(t, Options{})
	all := mint(&token.Claims{Access: token.Write})
	b.do("POST", "/v1/databases", `{"name":"shop"}`, "Authorization", all).expect(t, 201)
	b.do("POST", "/v1/query", `{"sql":"CREATE TABLE t (a)"}`, "Authorization", all).expect(t, 200)
	b.do("POST", "/db/shop/v1/query", `{"sql":"CREATE TABLE t (a)"}`, "Authorization", all).expect(t, 200)

	const read, write = "SELECT * FROM t", "INSERT INTO t VALUES (1)"
	for name, test := range map[string]struct {
		token  string
		path   string
		sql    string
		status int
		part   string
	}{
		"none":                      {"", "", read, 401, "{\"error\":\"Unauthorized: `Expected authorization header but none given`\""},
		"no scheme":                 {"x", "", read, 401, "Unauthorized: `"},
		"another scheme":            {"Basic eDp5", "", read, 401, "is not supported"},
		"rubbish":                   {"Bearer a.b.c", "", read, 401, "The JWT is invalid"},
		"expired":                   {mint(&token.Claims{Access: token.Write, Expires: time.Now().Add(-time.Hour)}), "", read, 401, "The JWT has expired"},
		"everything":                {all, "", write, 200, ""},
		"everything, of another":    {all, "/db/shop", write, 200, ""},
		"read-only reads":           {mint(&token.Claims{Access: token.Read}), "", read, 200, ""},
		"read-only writes":          {mint(&token.Claims{Access: token.Read}), "", write, 403, "Authorization forbidden"},
		"one database":              {mint(&token.Claims{Access: token.Write, Database: "shop"}), "/db/shop", write, 200, ""},
		"one database, and another": {mint(&token.Claims{Access: token.Write, Database: "shop"}), "", read, 403, "the token is not for the database main"},
		"permissions":               {mint(&token.Claims{Permissions: &token.Permissions{Read: []string{"main"}, Write: []string{"shop"}}}), "", write, 403, "Authorization forbidden"},
		"permissions to write":      {mint(&token.Claims{Permissions: &token.Permissions{Read: []string{"main"}, Write: []string{"shop"}}}), "/db/shop", write, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, header := range []string{"Authorization", "X-Authorization"} {
				r := b.do("POST", test.path+"/v2/pipeline", `{"requests":[`+execute(test.sql)+`]}`, header, test.token)
				r.expect(t, test.status, test.part)
				if test.status == 200 && strings.Contains(r.body, `"type":"error"`) {
					t.Error(r.body)
				}
			}
			r := b.do("POST", test.path+"/v1/query", `{"sql":"`+test.sql+`"}`, "Authorization", test.token)
			r.expect(t, test.status)
		})
	}
	one := mint(&token.Claims{Access: token.Write, Database: "main"})
	b.do("GET", "/info", "", "Authorization", one).expect(t, 404)
	b.do("GET", "/info", "").expect(t, 401)
	b.do("GET", "/health", "").expect(t, 200)
	b.do("GET", "/metrics", "", "Authorization", one).expect(t, 403)
	b.do("GET", "/metrics", "", "Authorization", all).expect(t, 200, "nearlite_requests_total")
	b.do("GET", "/v1/databases", "", "Authorization", one).expect(t, 403, `"code":"FORBIDDEN"`)
	b.do("DELETE", "/v1/databases/shop", "", "Authorization", one).expect(t, 403)
	b.do("GET", "/dump", "").expect(t, 401)
	b.do("GET", "/v1/backup", "", "Authorization", one).expect(t, 200, "SQLite format 3\x00")
}

// A baton is worth nothing to who has another token.
func TestBatonOfAnotherToken(t *testing.T) {
	t.Parallel()
	b, mint := secure(t, Options{})
	mine, other := mint(&token.Claims{Access: token.Write}), mint(&token.Claims{Access: token.Write, Expires: time.Now().Add(time.Hour)})
	r := b.do("POST", "/v2/pipeline", `{"requests":[`+execute("BEGIN")+`]}`, "Authorization", mine)
	baton := strings.Split(r.body, `"`)[3]
	body := `{"baton":"` + baton + `","requests":[` + execute("COMMIT") + `]}`
	b.do("POST", "/v2/pipeline", body, "Authorization", other).expect(t, 400, "Received an invalid baton")
	b.do("POST", "/v2/pipeline", body, "Authorization", mine).expect(t, 200, `"type":"ok"`)
}

func TestRate(t *testing.T) {
	t.Parallel()
	b, mint := secure(t, Options{Limits: Limits{Rate: 0.001, Burst: 3}})
	first, second := mint(&token.Claims{Access: token.Write}), mint(&token.Claims{Access: token.Write, Limits: &token.Limits{Rate: 0.0005, Burst: 1}})
	for range 3 {
		b.do("GET", "/v1/status", "", "Authorization", first).expect(t, 200)
	}
	r := b.do("GET", "/v1/status", "", "Authorization", first)
	r.expect(t, 429, `"code":"RATE_LIMIT"`, "More than 0.001 requests a second, or 3 at once")
	if wait, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || wait < 900 || wait > 1000 {
		t.Errorf("Retry-After is %q", r.header.Get("Retry-After"))
	}
	b.do("GET", "/v1/status", "", "Authorization", second).expect(t, 200)
	b.do("GET", "/v1/status", "", "Authorization", second).expect(t, 429, "or 1 at once")
	b.do("GET", "/health", "").expect(t, 200)
}

func TestBucket(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := newBucket(10, 2, now)
	for i, want := range []time.Duration{0, 0, 100 * time.Millisecond, 100 * time.Millisecond} {
		if wait := b.take(now); wait != want {
			t.Errorf("request %d waits %v, want %v", i, wait, want)
		}
	}
	if wait := b.take(now.Add(50 * time.Millisecond)); wait != 50*time.Millisecond {
		t.Errorf("half a tenth of a second later it is %v", wait)
	}
	for range 2 {
		if wait := b.take(now.Add(time.Hour)); wait != 0 {
			t.Errorf("an hour later it is %v", wait)
		}
	}
	if wait := b.take(now.Add(time.Hour)); wait == 0 {
		t.Error("an hour's worth was saved up")
	}
	if newBucket(0, 0, now).take(now) != 0 {
		t.Error("without a rate there is a limit")
	}
}

// The limits of a token are on top of the server's.
func TestLimitsOfStatements(t *testing.T) {
	t.Parallel()
	b, mint := secure(t, Options{Limits: Limits{Rows: 1000, Bytes: 100_000, Time: 200 * time.Millisecond}})
	wide, narrow := mint(&token.Claims{Access: token.Write}), mint(&token.Claims{Access: token.Write, Limits: &token.Limits{Rows: 10, Bytes: 1000, Time: time.Hour}})
	series := func(n int) string {
		return "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i < " + strconv.Itoa(n) + ") SELECT i FROM r"
	}
	const endless = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r) SELECT count(*) FROM r"
	for name, test := range map[string]struct{ token, sql, code string }{
		"few rows":              {wide, series(500), ""},
		"many rows":             {wide, series(1001), "RESPONSE_TOO_LARGE"},
		"more than the token's": {narrow, series(11), "RESPONSE_TOO_LARGE"},
		"large":                 {wide, "SELECT hex(zeroblob(60000))", "RESPONSE_TOO_LARGE"},
		"large for the token":   {narrow, "SELECT hex(zeroblob(1000))", "RESPONSE_TOO_LARGE"},
		"a bomb":                {narrow, "SELECT randomblob(1e9)", "SQLITE_TOOBIG"},
		"endless":               {narrow, endless, "SQLITE_INTERRUPT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := b.do("POST", "/v2/pipeline", `{"requests":[`+execute(test.sql)+`]}`, "Authorization", test.token)
			if test.code == "" {
				r.expect(t, 200, `"type":"ok"`)
			} else {
				r.expect(t, 200, `"code":"`+test.code+`"`)
			}
			r = b.do("POST", "/v1/query", `{"sql":"`+test.sql+`"}`, "Authorization", test.token)
			if test.code == "" {
				r.expect(t, 200)
			} else {
				r.expect(t, statusOf(test.code), `"code":"`+test.code+`"`)
			}
		})
	}
}

// What an operator has blocked is refused with his reason.
func TestBlocked(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.do("POST", "/v1/query", `{"sql":"CREATE TABLE t (a)"}`).expect(t, 200)
	b.do("PATCH", "/v1/databases/main", `{"config":{"block_writes":true,"block_reason":"moving"}}`).expect(t, 200, `"block_writes":true`)
	r, _ := b.pipeline("", execute("INSERT INTO t VALUES (1)"), execute("SELECT * FROM t"))
	r.expect(t, 200, `{"message":"Operation was blocked: moving","code":"BLOCKED"}`, `"type":"ok"`)
	b.do("POST", "/v1/query", `{"sql":"INSERT INTO t VALUES (1)"}`).expect(t, 403, `"code":"BLOCKED"`)
	b.do("PATCH", "/v1/databases/main", `{"config":{"block_reads":true}}`).expect(t, 200, `"block_writes":true`)
	for _, path := range []string{"/dump", "/v1/backup", "/v1/schema"} {
		b.do("GET", path, "").expect(t, 403, "Operation was blocked: moving")
	}
}

// Web pages are let in with a token, and without one only the server's own.
func TestPages(t *testing.T) {
	t.Parallel()
	open, named := setup(t, Options{}), setup(t, Options{Origins: []string{"https://app.example"}})
	closed, mint := secure(t, Options{})
	bearer := mint(&token.Claims{Access: token.Write})
	own := strings.TrimPrefix(open.http.URL, "http://")
	for name, test := range map[string]struct {
		b       *bundle
		headers []string
		status  int
		allowed string
	}{
		"a program":                          {open, nil, 200, ""},
		"another site":                       {open, []string{"Origin", "https://evil.example"}, 403, ""},
		"the console":                        {open, []string{"Origin", "http://" + own}, 200, "http://" + own},
		"a name that DNS made ours":          {open, []string{"Host", "evil.example:8080", "Origin", "http://evil.example:8080"}, 403, ""},
		"the same, without an origin":        {open, []string{"Host", "evil.example:8080", "User-Agent", "Mozilla/5.0"}, 403, ""},
		"a program, by any name":             {open, []string{"Host", "db.example:8080"}, 200, ""},
		"one that says it is a program":      {open, []string{"Host", "evil.example:8080", "User-Agent", "curl/8", "Accept-Encoding", "gzip, deflate"}, 403, ""},
		"an image on another site":           {open, []string{"Sec-Fetch-Site", "cross-site", "User-Agent", "Mozilla/5.0"}, 403, ""},
		"a script on another port":           {open, []string{"Sec-Fetch-Site", "same-site", "User-Agent", "Mozilla/5.0"}, 403, ""},
		"the console's own, or typed":        {open, []string{"Sec-Fetch-Site", "none", "User-Agent", "Mozilla/5.0"}, 200, ""},
		"a program that is like one":         {open, []string{"Host", "db:8080", "User-Agent", "node", "Accept-Encoding", "gzip, deflate"}, 200, ""},
		"the console, by IPv6":               {open, []string{"Host", "[::1]:8080", "Origin", "http://[::1]:8080"}, 200, "http://[::1]:8080"},
		"a named site":                       {named, []string{"Origin", "https://app.example"}, 200, "https://app.example"},
		"another site where one is":          {named, []string{"Origin", "https://evil.example"}, 403, ""},
		"another site, with a token":         {closed, []string{"Origin", "https://evil.example", "Authorization", bearer}, 200, "https://evil.example"},
		"another site, without a token":      {closed, []string{"Origin", "https://evil.example"}, 401, "https://evil.example"},
		"by any name of ours, with a token":  {closed, []string{"Host", "db.example", "Origin", "http://db.example", "Authorization", bearer}, 200, "http://db.example"},
		"an attachment, without origin both": {closed, []string{"User-Agent", "Mozilla/5.0", "Authorization", bearer}, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := test.b.do("GET", "/v1/status", "", test.headers...)
			r.expect(t, test.status)
			if got := r.header.Get("Access-Control-Allow-Origin"); got != test.allowed {
				t.Errorf("allowed is %q, want %q", got, test.allowed)
			}
		})
	}
	// A client of libSQL's asks what versions there are, from anywhere.
	open.do("GET", "/v3-protobuf", "", "Host", "db.example:8080", "Accept-Encoding", "gzip, deflate", "Sec-Fetch-Mode", "cors").expect(t, 200)
	r := closed.do("OPTIONS", "/v2/pipeline", "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
	if r.expect(t, 204); r.header.Get("Access-Control-Allow-Headers") != "authorization" {
		t.Errorf("the answer to a browser's question is %v", r.header)
	}
}

func TestDatabasesAPI(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.do("GET", "/v1/databases", "").expect(t, 200, `"name":"main"`)
	b.do("POST", "/v1/databases", `{"name":"a","config":{"max_bytes":1048576}}`).expect(t, 201, `"name":"a"`, `"max_bytes":1048576`)
	b.do("POST", "/v1/databases", `{"name":"a"}`).expect(t, 409, `"code":"DATABASE_EXISTS"`)
	b.do("POST", "/v1/databases", `{"name":"No Name"}`).expect(t, 400, `"code":"BAD_REQUEST"`)
	b.do("POST", "/v1/databases", `{"name":"z","config":{"max_byte":1}}`).expect(t, 400, "max_byte")
	b.do("POST", "/db/a/v1/query", `{"sql":"CREATE TABLE t AS SELECT 1 AS x"}`).expect(t, 200)
	b.do("POST", "/v1/databases", `{"name":"b","from":"a"}`).expect(t, 201, `"origin":"`)
	b.do("POST", "/v1/databases", `{"name":"c","from":"nope"}`).expect(t, 404, `"code":"DATABASE_NOT_FOUND"`)
	b.do("POST", "/db/b/v1/query", `{"sql":"SELECT x FROM t"}`).expect(t, 200, `"rows":[[1]]`)
	b.do("PATCH", "/v1/databases/b", `{"name":"c","config":{"writer_share":0.5}}`).expect(t, 200, `"name":"c"`, `"writer_share":0.5`, `"max_bytes":1048576`)
	b.do("PATCH", "/v1/databases/c", `{}`).expect(t, 400)
	b.do("GET", "/v1/databases/b", "").expect(t, 404)
	r := b.do("GET", "/v1/databases?limit=2", "")
	r.expect(t, 200, `"next":"c"`)
	if strings.Contains(r.body, `"main"`) {
		t.Errorf("more than two are listed: %s", r.body)
	}
	b.do("GET", "/v1/databases?limit=2&after=c", "").expect(t, 200, `"main"`)
	b.do("GET", "/v1/databases?limit=0", "").expect(t, 400)
	b.do("DELETE", "/v1/databases/c", "").expect(t, 204)
	b.do("DELETE", "/v1/databases/main", "").expect(t, 400)
	b.do("POST", "/db/c/v1/query", `{"sql":"SELECT x FROM t"}`).expect(t, 404, `There is no database \"c\"`)
	b.do("PUT", "/v1/databases/d", "CREATE TABLE q (a); INSERT INTO q VALUES (5);").expect(t, 201, `"name":"d"`)
	b.do("POST", "/db/d/v1/query", `{"sql":"SELECT a FROM q"}`).expect(t, 200, `"rows":[[5]]`)
	b.do("PUT", "/v1/databases/d", "CREATE TABLE q (a);").expect(t, 409)
	b.do("PUT", "/v1/databases/e", "this is nothing").expect(t, 422, `"code":"IMPORT_FAILED"`)
	b.do("PUT", "/v1/databases/d?replace=true", "CREATE TABLE r (a);").expect(t, 201)
	b.do("POST", "/db/d/v1/query", `{"sql":"SELECT a FROM q"}`).expect(t, 400, "no such table: q")
	copied := b.do("GET", "/db/a/v1/backup", "")
	copied.expect(t, 200)
	b.do("PUT", "/v1/databases/f", copied.body).expect(t, 201)
	b.do("POST", "/db/f/v1/query", `{"sql":"SELECT x FROM t"}`).expect(t, 200, `"rows":[[1]]`)
}

// sqld's admin API, and an operator's own routes, on an address of their own.
func TestAdminRoutes(t *testing.T) {
	t.Parallel()
	b, _ := secure(t, Options{})
	client := *b
	b.http = serveHandler(t, b.server.AdminHandler())
	b.do("GET", "/", "").expect(t, 200, "Welcome to the sqld admin API")
	b.do("POST", "/v1/namespaces/shop/create", `{"max_db_size":"10 MB"}`).expect(t, 200)
	b.do("POST", "/v1/namespaces/shop/create", ``).expect(t, 200)
	b.do("GET", "/v1/namespaces/shop/config", "").expect(t, 200, `"max_db_size":10000000`, `"block_writes":false`)
	b.do("POST", "/v1/namespaces/shop/config", `{"block_reads":false,"block_writes":true,"block_reason":"why"}`).expect(t, 200)
	b.do("GET", "/v1/namespaces/shop/config", "").expect(t, 200, `"block_writes":true,"block_reason":"why"`)
	b.do("POST", "/v1/namespaces/shop/config", `{"jwt_key":"x"}`).expect(t, 400, "is not supported here")
	b.do("POST", "/v1/namespaces/default/fork/copy", "").expect(t, 200)
	b.do("GET", "/v1/namespaces/copy/stats", "").expect(t, 200, `"storage_bytes_used"`)
	b.do("DELETE", "/v1/namespaces/copy", "").expect(t, 200)
	b.do("DELETE", "/v1/namespaces/copy", "").expect(t, 404, `{"error":"Namespace `+"`copy`"+` doesn't exist"`)
	b.do("POST", "/v1/namespaces/x/create", `{"dump_url":"https://example.com/x.sql"}`).expect(t, 400, "download it first")
	b.do("GET", "/v1/diagnostics", "").expect(t, 200, "[]")
	b.do("GET", "/v1/databases", "").expect(t, 200, `"shop"`)
	b.do("GET", "/metrics", "").expect(t, 200, `nearlite_databases{state="known"} 2`, "go_goroutines")
	b.do("GET", "/debug/pprof/", "").expect(t, 200, "goroutine")
	b.do("GET", "/readyz", "").expect(t, 200)
	b.do("GET", "/metrics", "", "Origin", "https://evil.example").expect(t, 403)
	b.do("GET", "/metrics", "", "Host", "evil.example", "Accept-Encoding", "gzip, deflate").expect(t, 403)
	// A page that may call with a token may not call here, where nobody is asked for one.
	everywhere, _ := secure(t, Options{Origins: []string{"*", "https://app.example"}})
	everywhere.http = serveHandler(t, everywhere.server.AdminHandler())
	everywhere.do("POST", "/v1/namespaces/evil/create", "", "Origin", "https://app.example").expect(t, 403)
	everywhere.do("POST", "/v1/namespaces/good/create", "", "Origin", everywhere.http.URL).expect(t, 200)
	for _, path := range []string{"/debug/pprof/", "/v1/namespaces/shop/config", "/v1/diagnostics"} {
		client.do("GET", path, "").expect(t, 404)
	}
}

// A database that is gone is not taken for one that was made since.
func TestBatonOfADeletedDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	make := func() {
		if _, err := b.cat.Create(t.Context(), "gone", nil); err != nil {
			t.Fatal(err)
		}
	}
	make()
	r := b.do("POST", "/v2/pipeline", `{"requests":[`+execute("SELECT 1")+`]}`, "x-namespace", "gone")
	baton := strings.Split(r.body, `"`)[3]
	b.server.streams.sweep(time.Now().Add(time.Hour))
	if err := b.cat.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	make()
	b.do("POST", "/v2/pipeline", `{"baton":"`+baton+`","requests":[]}`, "x-namespace", "gone").expect(t, 404, "DATABASE_NOT_FOUND")
	if _, err := b.cat.Lookup(t.Context(), catalog.Main); err != nil {
		t.Error(err)
	}
}
