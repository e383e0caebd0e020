package console_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nearlite/nearlite/server/token"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	s.run(
		`CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT, weight REAL, data BLOB) STRICT`,
		`INSERT INTO thing VALUES (1, 'a', 1.0, x'00ff'), (9223372036854775807, '', NULL, randomblob(2000)), (3, '<b>bold</b>', 0.5, x'')`,
	)
	v := visit(t, s, "/console", "status of 400")
	v.query("SELECT id, name, weight, data, 1 + 1 AS two FROM thing ORDER BY weight")
	got := v.cells(".results table")
	for i, want := range [][]string{
		{"9223372036854775807", "empty text", "NULL", "blob of 2000 bytes", "2"},
		{"3", "<b>bold</b>", "0.5", "blob of 0 bytes", "2"},
		{"1", "a", "1.0", "blob of 2 bytes", "2"},
	} {
		if i >= len(got) || !slices.Equal(got[i], want) {
			t.Fatalf("row %d is not %q in %q", i+1, want, got)
		}
	}
	v.see(".results th:nth-child(2)", "INTEGER")
	v.see(".results th:nth-child(6)", "integer") // of the values: an expression declares nothing
	v.see(".result header", "3 rows")
	v.see(".result header .position", "at ")
	v.shot("query")

	v.click(".results tbody tr:first-child .more")
	v.see("dialog", "blob of 1.95 KiB")
	v.see("dialog pre", "00000010  ")
	v.press("Escape")

	v.query("INSERT INTO thing (name) VALUES ('b'), ('c') RETURNING name")
	v.see(".result header", "2 rows · 2 rows changed")

	// Everything, as one transaction.
	v.edit("BEGIN;\nUPDATE thing SET weight = 2;\nSELECT count(*) FROM thing WHERE weight = 2;\nCOMMIT;")
	v.press("Ctrl+Shift+Enter")
	v.see(".results", "2 statements, one transaction")
	v.see(".result:nth-of-type(1)", "5 rows changed")
	if got := v.cells(".result:nth-of-type(2) table"); got[0][0] != "5" {
		t.Errorf("the second statement saw %q", got)
	}
	v.shot("several")

	// The selection alone.
	value[any](v, `document.querySelector("textarea.code").setSelectionRange(7, 7 + 28)`)
	v.press("Ctrl+Enter")
	v.see(".results", "5 rows changed")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	s.run(`CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE)`)
	v := visit(t, s, "/console", "status of 4")
	v.query("-- ünïcødé 😀\nSELECT 'é',\n  nome FROM thing;")
	v.see(".failure", "no such column: nome")
	v.see(".failure", "Line 3, column 3")
	v.see(".ink .wrong", "nome")
	v.shot("error")
	v.click(".failure .link")
	if at := value[int](v, `document.querySelector("textarea.code").selectionStart`); at != len([]rune("-- ünïcødé 😀\nSELECT 'é',\n  "))+1 {
		t.Errorf("the cursor is at %d", at)
	}

	v.edit("INSERT INTO thing (name) VALUES ('a');\nINSERT INTO thing (name) VALUES ('a');")
	v.press("Ctrl+Shift+Enter")
	v.see(".failure", "UNIQUE constraint failed")
	v.see(".failure", "statement 2 of 2; none of them had any effect")
	v.query("SELECT count(*) FROM thing")
	if got := v.cells(".results table"); got[0][0] != "0" {
		t.Errorf("there are %s rows after an error", got[0][0])
	}
	v.query("EXPLAIN QUERY PLAN SELECT * FROM thing WHERE name = 'a'")
	v.click(".query .toolbar button:nth-of-type(4)")
	v.see(".plan", "SEARCH thing USING")
}

func TestManyRows(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	v := visit(t, s, "/console")
	v.query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i, 'x' || i FROM n")
	v.see(".results .capped", "Only the first 1 000 rows are shown")
	if n := value[int](v, `document.querySelectorAll(".results tbody tr").length`); n != 1000 {
		t.Errorf("%d rows are shown", n)
	}
	v.query("SELECT hex(zeroblob(5000)) AS long, 'a' || char(10) || 'b'")
	v.click(".results .more")
	v.see("dialog", "text of 10 000 characters")
	if n := value[int](v, `document.querySelector("dialog pre").textContent.length`); n != 10_000 {
		t.Errorf("%d characters are shown", n)
	}
	v.press("Escape")

	// Every statement can be stopped.
	v.edit("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
	v.press("Ctrl+Enter")
	v.see(".results", "Running")
	v.press("Escape")
	v.see(".results", "Stopped")
	v.query("SELECT 'on'")
}

func TestTextAndHistoryStay(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	v := visit(t, s, "/console")
	v.query("SELECT 'first'")
	v.query("SELECT 'second'")
	v.enter(" -- and more")
	v.do("reload", v.page.Reload)
	text := `document.querySelector("textarea.code").value`
	v.wait(text + ` === "SELECT 'second' -- and more"`)
	v.wait(`document.activeElement.matches("textarea.code")`)
	v.press("Alt+ArrowUp")
	v.wait(text + ` === "SELECT 'second'"`)
	v.press("Alt+ArrowUp")
	v.wait(text + ` === "SELECT 'first'"`)
	v.press("Alt+ArrowDown", "Alt+ArrowDown")
	v.wait(text + ` === "SELECT 'second' -- and more"`)
	v.click(".query .toolbar button:nth-of-type(5)")
	v.see("dialog", "SELECT 'first'")
	v.click("dialog li:nth-child(2) button")
	v.wait(text + ` === "SELECT 'first'"`)
}

// strange is a name that is SQL, HTML and a path at once.
const strange = `a "b"'; DROP TABLE x; -- <img src=x onerror=alert(1)>/ü#?%2F`

func TestBrowse(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	name := `"` + strings.ReplaceAll(strange, `"`, `""`) + `"`
	s.run(
		`CREATE TABLE number (id INTEGER PRIMARY KEY, word TEXT, even INT)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234) INSERT INTO number SELECT i, 'w' || i, nullif(i % 2, 1) FROM n`,
		`CREATE INDEX number_by_word ON number (word)`,
		`CREATE TRIGGER number_trigger AFTER DELETE ON number BEGIN SELECT 1; END`,
		`CREATE TABLE `+name+` (`+name+` TEXT, rowid TEXT)`,
		`INSERT INTO `+name+` VALUES ('<script>alert(1)</script>', 'mine')`,
		`CREATE VIEW v AS SELECT word FROM number WHERE id <= 150`,
		`CREATE VIEW broken AS SELECT * FROM gone`,
	)
	v := visit(t, s, "/console/#/main/data", "status of 400")
	v.click(`nav a[data-name="number"]`)
	v.see(".table .toolbar", "1–100 of 1 234")
	first := func() string { return v.cells(".rows table")[0][0] }
	v.click("[aria-label='Next page']")
	v.see(".table .toolbar", "101–200 of 1 234")
	if first() != "101" {
		t.Errorf("the second page begins with %s", first())
	}
	v.shot("data")
	v.click("[aria-label='Last page']")
	v.see(".table .toolbar", "1 135–1 234 of 1 234")
	v.click("[aria-label='Previous page']")
	v.see(".table .toolbar", "1 035–1 134 of 1 234")
	v.click("[aria-label='First page']")
	v.see(".table .toolbar", "1–100 of 1 234")

	v.click("[data-column=word]")
	v.wait(exists("th[aria-sort=ascending] [data-column=word]"))
	v.wait(`document.querySelector(".rows tbody td:nth-child(3)").innerText === "w1"`)
	v.click("[data-column=word]")
	v.wait(`document.querySelector(".rows tbody td:nth-child(3)").innerText === "w999"`)
	v.click("[aria-label='Filter value']")
	v.enter("w12")
	v.see(".table .toolbar", "1–46 of 46")

	// What was changed by others is seen when it is read again.
	s.run(`DELETE FROM number WHERE word = 'w12'`)
	v.click("[aria-label='Read again']")
	v.see(".table .toolbar", "1–45 of 45")

	v.click(".parts a:nth-child(2)")
	v.see(".structure", "number_by_word")
	v.see(".structure", "CREATE TRIGGER number_trigger")
	v.see(".structure", "word")
	v.shot("structure")

	value[any](v, `[...document.querySelectorAll("nav a")].find(a => a.dataset.name === `+quote(strange)+`).click()`)
	v.see(".pane h2", strange)
	v.click(".parts a:nth-child(1)")
	v.see(".table .toolbar", "1–1 of 1")
	if got := v.cells(".rows table"); !slices.Equal(got[0], []string{"<script>alert(1)</script>", "mine"}) {
		t.Errorf("the strange table holds %q", got)
	}
	v.do("reload", v.page.Reload)
	v.see(".pane h2", strange)
	v.shot("strange")

	v.click(`nav a[data-name="v"]`)
	v.see(".table .toolbar", "1–100 of 149")
	v.click("[aria-label='Last page']")
	v.see(".table .toolbar", "101–149 of 149")
	v.click(`nav a[data-name="broken"]`)
	v.see(".pane .error", "no such table: main.gone")

	// A table that is made in the editor is here when one comes back.
	v.press("Alt+1")
	v.query("CREATE TABLE fresh (a)")
	v.press("Alt+2")
	v.click(`nav a[data-name="fresh"]`)
	v.see(".rows", "No rows.")
}

// TestPages pages through tables by key and by any column, forward and back, and
// must meet every row once and in order.
func TestPages(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	s.run(
		// Values of all classes, many of them NULL or alike.
		`CREATE TABLE plain (v, w TEXT COLLATE NOCASE)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
			INSERT INTO plain SELECT CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN i % 4 WHEN 2 THEN 'b' WHEN 3 THEN x'0102' WHEN 4 THEN 9223372036854775807 - i % 3 ELSE i / 7.0 END, substr('aAbB', i % 4 + 1, 1) FROM n`,
		`DELETE FROM plain WHERE rowid % 7 = 3`,
		`CREATE TABLE pair (a TEXT, b INT, v, PRIMARY KEY (a, b)) WITHOUT ROWID`,
		`INSERT OR IGNORE INTO pair SELECT w, rowid % 11, v FROM plain`,
		`CREATE VIEW seen AS SELECT * FROM plain ORDER BY rowid`,
	)
	v := visit(t, s, "/console/")
	v.wait(exists("textarea.code"))
	got := value[[]string](v, `(async () => {
		const { page, key } = await import("./paging.js");
		const { Client } = await import("./client.js");
		const { stringify } = await import("./json.js");
		const client = new Client(new URL("..", location.href.split("#")[0]));
		const { tables } = await client.schema();
		const wrong = [];
		for (const table of tables) {
			for (const sort of [null, ...table.columns.flatMap((c) => [false, true].map((descending) => ({ column: c.name, descending })))]) {
				const whole = page(table, { sort, size: 1000 });
				const all = (await client.one(whole.sql, whole.params)).rows.map((r) => stringify(r));
				const read = async (from) => {
					const request = page(table, { sort, from, size: 7 });
					const rows = (await client.one(request.sql, request.params)).rows;
					const more = rows.length > 7;
					const shown = rows.slice(0, 7);
					return { shown: request.back ? shown.reverse() : shown, more, values: (r) => r.slice(request.shown) };
				};
				const keyed = key(table).length > 0;
				const forth = [];
				for (let from = null, at = 0; ; ) {
					const p = await read(from);
					forth.push(...p.shown.map((r) => stringify(r)));
					if (!p.more) break;
					from = keyed ? { values: p.values(p.shown.at(-1)) } : { offset: (at += 7) };
				}
				const back = [];
				for (let from = { last: true }; keyed; ) {
					const p = await read(from);
					back.unshift(...p.shown.map((r) => stringify(r)));
					if (!p.more) break;
					from = { values: p.values(p.shown[0]), back: true };
				}
				const what = table.name + " by " + JSON.stringify(sort);
				if (all.length < 20) wrong.push(what + ": only " + all.length + " rows");
				if (forth.join() !== all.join()) wrong.push(what + " forward: " + forth);
				if (keyed && back.join() !== all.join()) wrong.push(what + " backward: " + back);
			}
		}
		return wrong;
	})()`)
	for _, wrong := range got {
		t.Error(wrong)
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	s.run(`CREATE TABLE tick (id INTEGER PRIMARY KEY, at TEXT)`)
	v := visit(t, s, "/console/#/main/live", "ERR_CONNECTION_REFUSED")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s.run(`INSERT INTO tick (at) VALUES (datetime())`)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	// The line has two points and more, and the figure is not zero.
	line := `document.querySelector(".canvas .line.series-1").getAttribute("d")`
	v.wait(line + `.split("L").length > 3 && parseFloat(document.querySelector(".plot dd").innerText) > 1`)
	before := value[string](v, line)
	v.wait(line + ` !== ` + quote(before))
	v.see(".plot:nth-child(3)", "p99")
	v.wait(`/\d/.test(document.querySelector(".plot:nth-child(3) dd").innerText)`)
	for _, tick := range []string{"0", "now", "−1 min"} {
		v.see(".plot .canvas", tick)
	}
	v.shot("live")
	stop()
	<-done

	// The server goes and comes back; the page stays.
	s.stop()
	v.see(".pulse", "Disconnected")
	v.see(".facts", "disconnected")
	s.start()
	v.see(".pulse", "Connected")
	v.wait(exists(".plot .restart"))
	v.shot("restarted")
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	s := serve(t, true)
	s.run(`CREATE TABLE thing (id INTEGER PRIMARY KEY)`)
	v := visit(t, s, "/console", "status of 401", "status of 403", "status of 404", "status of 400")
	v.see(".signin", "This server asks for a token")
	if v.focus() != "token" {
		t.Errorf("the focus is on %s", v.focus())
	}
	for _, bad := range []string{"nonsense", "a.b.c", s.mint(token.Claims{Access: token.Write, Expires: time.Now().Add(-time.Hour)})} {
		v.replace(bad)
		v.press("Enter")
		v.see(".signin .error", "Unauthorized")
		v.wait(exists("#token[aria-invalid]") + ` && document.activeElement.id === "token" && !document.querySelector(".signin button").disabled`)
	}
	v.see(".signin .error", "expired")
	v.shot("refused")

	good := s.mint(token.Claims{Access: token.Write})
	v.replace(good)
	v.press("Enter")
	v.query("SELECT count(*) FROM thing")
	v.see(".results", "1 row")
	kept := `JSON.stringify([location.href, {...localStorage}, document.cookie])`
	if where := value[string](v, kept); strings.Contains(where, good) {
		t.Errorf("the token is kept in %s", where)
	}
	v.do("reload", v.page.Reload)
	v.query("SELECT 1")
	v.click(".top > button:last-child")
	v.see(".signin h1", "Sign in")
	if where := value[string](v, `JSON.stringify([{...localStorage}, {...sessionStorage}])`); where != "[{},{}]" {
		t.Errorf("after signing out %s is left", where)
	}

	// A token for reading one database, remembered.
	v.replace(s.mint(token.Claims{Access: token.Read, Database: "main"}))
	v.press("Tab", " ", "Tab", "Enter")
	v.see(".bottom", "read only")
	v.query("DELETE FROM thing")
	v.wait(exists(".failure"))
	v.shot("read-only")
	v.press("Ctrl+k")
	v.see("dialog", "may not")
	if value[bool](v, `[...document.querySelectorAll("dialog button")].some(b => /Delete|New/.test(b.innerText))`) {
		t.Error("a token for reading is offered to delete")
	}
	if where := value[string](v, kept); !strings.Contains(where, "token") {
		t.Errorf("a token to be remembered is not kept in %s", where)
	}
}

func TestDatabases(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	s.run(`CREATE TABLE thing (id INTEGER PRIMARY KEY)`, `INSERT INTO thing VALUES (1), (2)`)
	v := visit(t, s, "/console", "status of 409", "status of 404", "status of 400")
	v.wait(exists("textarea.code"))
	row := func(name string) string { return `dialog [aria-label="` + name + `"]` }
	v.press("Ctrl+k")
	v.click(row("Fork main"))
	v.replace("copy")
	v.press("Enter")
	v.click(row("Rename copy"))
	v.replace("main")
	v.press("Enter")
	v.see("dialog:last-of-type .error", "main")
	v.replace("twin")
	v.press("Enter")
	v.wait(exists(row("Delete twin")))
	v.shot("databases")
	v.click("dialog li:nth-child(2) .choose")
	v.see(".top .database", "twin")
	v.query("INSERT INTO thing VALUES (3)")
	v.see(".results", "1 row changed")
	v.query("SELECT count(*) FROM thing")
	if got := v.cells(".results table"); got[0][0] != "3" {
		t.Errorf("the fork has %s rows", got[0][0])
	}

	// It is deleted when its name was typed, and not before.
	v.press("Ctrl+k")
	v.click(row("Delete twin"))
	submit := `document.querySelector("dialog:last-of-type button[type=submit]")`
	v.wait(submit + `.disabled`)
	v.enter("twi")
	v.press("Enter")
	v.wait(submit + `.disabled`)
	v.enter("n")
	v.wait(`!` + submit + `.disabled`)
	v.shot("delete")
	v.press("Enter")
	v.see(".top .database", "main")
	v.press("Escape")
	v.wait(`!document.querySelector("dialog")`)
	v.query("SELECT count(*) FROM thing")
	if got := v.cells(".results table"); got[0][0] != "2" {
		t.Errorf("main has %s rows", got[0][0])
	}
	v.open("/console/#/gone/query")
	v.see(".top .database", "main")
	v.see(".toast", "gone")
}

// TestNames asks Chromium what somebody who sees nothing is told: every control has
// a name, in every view and dialog.
func TestNames(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	s.run(`CREATE TABLE a (id INTEGER PRIMARY KEY, word TEXT)`, `INSERT INTO a VALUES (1, 'one'), (2, ''), (3, NULL)`)
	v := visit(t, s, "/console")
	named := func(where string) {
		t.Helper()
		v.do("look at "+where, func(ctx context.Context) error {
			unnamed, err := v.page.Unnamed(ctx)
			for _, u := range unnamed {
				t.Errorf("%s: there is a control without a name: %s", where, u)
			}
			return err
		})
		if ids := value[[]string](v, `[...document.querySelectorAll("[id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i)`); len(ids) > 0 {
			t.Errorf("%s: ids that are there twice: %q", where, ids)
		}
	}
	v.query("SELECT * FROM a")
	named("the editor")
	v.press("Alt+2")
	v.click("nav a")
	v.wait(exists(".rows td"))
	named("the rows of a table")
	v.click(".parts a:nth-child(2)")
	v.wait(exists(".structure"))
	named("the structure of a table")
	v.press("Alt+3")
	v.wait(exists(".canvas text"))
	named("the plots")
	v.press("Ctrl+k")
	v.click(`dialog [aria-label="Fork main"]`)
	v.wait(exists("#ask-value"))
	named("the databases")
}

// TestKeyboard does everything without a mouse.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	s.run(`CREATE TABLE a (id INTEGER PRIMARY KEY, word TEXT)`, `INSERT INTO a VALUES (1, 'one'), (2, 'two')`, `CREATE TABLE b (x)`)
	v := visit(t, s, "/console")
	v.wait(`document.activeElement.matches("textarea.code")`)
	v.replace("SELECT * FROM a")
	v.press("Ctrl+Enter")
	v.wait(exists(".results td"))

	// Tab leaves the editor, and each stop shows that it has the focus.
	var stops []string
	for range 4 {
		v.press("Tab")
		stops = append(stops, v.focus())
		if !value[bool](v, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== "none" || getComputedStyle(document.activeElement, "::after").height === "3px" })()`) {
			t.Errorf("one does not see that %s has the focus", v.focus())
		}
	}
	if want := []string{"Height of the editor", "Copy CSV", "Copy JSON", "1"}; !slices.Equal(stops, want) {
		t.Errorf("Tab goes over %q, want %q", stops, want)
	}
	v.press("ArrowRight", "ArrowDown")
	if v.focus() != "two" {
		t.Errorf("the arrows lead to %q", v.focus())
	}
	v.press("Enter")
	v.see("dialog pre", "two")
	v.press("Escape")
	v.wait(`document.activeElement.innerText === "two"`)
	v.press("Home", "Ctrl+Home")
	if v.focus() != "1" {
		t.Errorf("Home leads to %q", v.focus())
	}
	v.press("?")
	v.see("dialog", "run the selection, or the statement at the cursor")
	v.shot("shortcuts")
	v.press("Escape")

	// The views are tabs, and the arrow keys go between them.
	v.press("Alt+3")
	v.wait(`document.activeElement.id === "tab-live" && document.activeElement.getAttribute("aria-selected") === "true"`)
	v.press("ArrowLeft")
	v.wait(`document.activeElement.id === "tab-data" && !document.getElementById("view-data").hidden && document.getElementById("view-live").hidden`)
	v.wait(exists("nav a"))
	v.press("Alt+2")
	v.wait(`document.activeElement.matches("nav a[data-name=a]")`)
	v.press("ArrowDown", "Enter")
	v.see(".pane h2", "b")
	v.wait(`document.activeElement.matches("nav a[data-name=b]")`)
	v.press("ArrowUp", "Enter")
	v.see(".pane h2", "a")
	v.wait(exists(".rows td"))
	v.press("/")
	v.enter("tw")
	v.see(".table .toolbar", "1–1 of 1")

	// The first stop of all leads past the header.
	value[any](v, `document.activeElement.blur(), document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute("tabindex")`)
	v.press("Tab")
	v.see(".skip", "Skip to content")
	v.press("Enter")
	if v.focus() != "content" {
		t.Errorf("skipping leads to %q", v.focus())
	}
	v.press("Alt+1")
	v.wait(`document.activeElement.matches("textarea.code")`)
}

func TestSchemes(t *testing.T) {
	t.Parallel()
	s := serve(t, false)
	s.run(`CREATE TABLE a (id INTEGER PRIMARY KEY, word TEXT)`, `INSERT INTO a VALUES (1, 'one'), (2, NULL)`)
	v := visit(t, s, "/console")
	ground := func() string { return value[string](v, `getComputedStyle(document.body).backgroundColor`) }
	v.query("SELECT *, x'00ff', 1.5, '' FROM a -- a comment")
	light := ground()
	v.do("darken", func(ctx context.Context) error { return v.page.Media(ctx, "prefers-color-scheme", "dark") })
	if dark := ground(); dark == light {
		t.Errorf("the ground is %s in both schemes", dark)
	}
	v.shot("dark")
	for _, view := range []string{"query", "data/a", "live"} {
		for _, size := range [][2]int{{360, 640}, {820, 1180}, {1280, 800}, {1920, 1080}} {
			v.do("resize", func(ctx context.Context) error { return v.page.Resize(ctx, size[0], size[1]) })
			v.open("/console/#/main/" + view)
			v.wait(`[...document.querySelectorAll("[role=tabpanel]:not([hidden])")].some(e => e.querySelector(".results td, .rows td, .line[d^=M]"))`)
			// Nothing sticks out to the right: what is wide scrolls in its own frame.
			if wide := value[int](v, `document.documentElement.scrollWidth`); wide > size[0] {
				t.Errorf("%s is %d wide on a screen of %d", view, wide, size[0])
			}
			v.shot(fmt.Sprintf("%s-%d", strings.ReplaceAll(view, "/", "-"), size[0]))
		}
	}
}

// The screenshots are for people to look at; here it is only seen that they are there.
func TestScreenshot(t *testing.T) {
	t.Parallel()
	v := visit(t, serve(t, false), "/console")
	v.wait(exists("textarea.code"))
	v.shot("page")
	content, err := os.ReadFile(filepath.Join(t.ArtifactDir(), "page.png"))
	must(t, err)
	if !strings.HasPrefix(string(content), "\x89PNG") {
		t.Errorf("%d bytes are no picture", len(content))
	}
}
