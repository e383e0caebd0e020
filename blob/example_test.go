package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing/fstest"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/blob"
)

// example opens a private database and a store in it.
func example() (context.Context, *nearlite.DB, *blob.Store) {
	ctx := context.Background()
	db, err := nearlite.Open(ctx, ":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	files, err := blob.New("")
	if err != nil {
		log.Fatal(err)
	}
	return ctx, db, files
}

func Example() {
	ctx, db, files := example()
	defer db.Close()
	if _, err := db.Exec(ctx, "CREATE TABLE invoice(number INTEGER PRIMARY KEY, file TEXT)"); err != nil {
		log.Fatal(err)
	}
	// The row and its file are there together or not at all.
	err := db.Update(ctx, func(tx *nearlite.WriteTx) error {
		if _, err := tx.Exec("INSERT INTO invoice VALUES (?, ?)", 7, "2026/7.txt"); err != nil {
			return err
		}
		_, err := files.Put(tx, "2026/7.txt", []byte("You owe us nothing."), nil)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	err = db.View(ctx, func(tx *nearlite.ReadTx) error {
		content, err := files.Get(tx, "2026/7.txt")
		fmt.Printf("%s\n", content)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: You owe us nothing.
}

func ExampleStore_Append() {
	ctx, db, files := example()
	defer db.Close()
	err := db.Update(ctx, func(tx *nearlite.WriteTx) error {
		for name, content := range map[string]string{"a": "one", "b": "two"} {
			if _, err := files.Put(tx, name, []byte(content), nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	buffer := make([]byte, 0, 64<<10) // for all of them
	err = db.View(ctx, func(tx *nearlite.ReadTx) (err error) {
		for _, name := range []string{"a", "b"} {
			if buffer, err = files.Append(tx, buffer[:0], name); err != nil {
				return err
			}
			fmt.Printf("%s\n", buffer)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// one
	// two
}

func ExampleStore_Upload() {
	ctx, db, files := example()
	defer db.Close()
	body := strings.NewReader("what arrives slowly, over a network")
	info, err := files.Upload(ctx, db, "incoming/1", body, &blob.PutOptions{ContentType: "text/plain"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes, SHA-256 %x…\n", info.Size, info.SHA256[:4])
	// Output: 35 bytes, SHA-256 d1fe3759…
}

func ExampleStore_Create() {
	ctx, db, files := example()
	defer db.Close()
	err := db.Update(ctx, func(tx *nearlite.WriteTx) error {
		w, err := files.Create(tx, "report.csv", nil)
		if err != nil {
			return err
		}
		for row, err := range tx.Query("SELECT 'a', 1 UNION SELECT 'b', 2") {
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%s,%d\n", row.Text(0), row.Int64(1)); err != nil {
				return err
			}
		}
		return w.Close()
	})
	if err != nil {
		log.Fatal(err)
	}
	content, err := files.FS(db).ReadFile("report.csv")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", content)
	// Output:
	// a,1
	// b,2
}

func ExampleStore_Open() {
	ctx, db, files := example()
	defer db.Close()
	if _, err := files.Upload(ctx, db, "log", strings.NewReader(strings.Repeat("0123456789", 100_000)), nil); err != nil {
		log.Fatal(err)
	}
	err := db.View(ctx, func(tx *nearlite.ReadTx) error {
		r, err := files.Open(tx, "log")
		if err != nil {
			return err
		}
		part, err := io.ReadAll(io.NewSectionReader(r, 500_003, 5))
		fmt.Printf("%s of %d bytes\n", part, r.Size())
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 34567 of 1000000 bytes
}

func ExampleStore_List() {
	ctx, db, files := example()
	defer db.Close()
	err := db.Update(ctx, func(tx *nearlite.WriteTx) error {
		for _, name := range []string{"2025/b", "2026/a", "2026/b"} {
			if _, err := files.Put(tx, name, []byte(name), nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	err = db.View(ctx, func(tx *nearlite.ReadTx) error {
		for info, err := range files.List(tx, "2026/") {
			if err != nil {
				return err
			}
			fmt.Println(info.Name, info.Size)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2026/a 6
	// 2026/b 6
}

func ExampleStore_Delete() {
	ctx, db, files := example()
	defer db.Close()
	err := db.Update(ctx, func(tx *nearlite.WriteTx) error { return files.Delete(tx, "nothing") })
	fmt.Println(err, errors.Is(err, blob.ErrNotExist))
	// Output: delete nothing: there is no such object true
}

func ExampleStore_Handler() {
	ctx, db, files := example()
	defer db.Close()
	if _, err := files.Upload(ctx, db, "site/hello.txt", strings.NewReader("Hello over HTTP"), nil); err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(files.Handler(db))
	defer server.Close()
	req, err := http.NewRequest("GET", server.URL+"/site/hello.txt", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Range", "bytes=0-4")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	part, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, ETag %.9s…\n%s\n", resp.Status, resp.Header.Get("ETag"), part)
	// Output:
	// 206 Partial Content, ETag "25492305…
	// Hello
}

func ExampleStore_Import() {
	ctx, db, files := example()
	defer db.Close()
	site := fstest.MapFS{ // or os.DirFS, an embed.FS, a zip
		"index.html":    {Data: []byte("<h1>Hi"), ModTime: time.Unix(1, 0)},
		"img/empty.png": {ModTime: time.Unix(2, 0)},
	}
	for range 2 {
		report, err := files.Import(ctx, db, site, &blob.TransferOptions{Dir: "site"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(report.Files, "copied,", report.Unchanged, "unchanged")
	}
	// Output:
	// 2 copied, 0 unchanged
	// 0 copied, 2 unchanged
}
