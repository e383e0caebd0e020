package catalog_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/nearlite/nearlite/catalog"
)

// A database for each customer, and a copy of one to try something on.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "catalog-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cat, err := catalog.Open(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer cat.Close()
	if _, err := cat.Create(ctx, "customer-7", &catalog.Config{MaxBytes: 1 << 30}); err != nil {
		log.Fatal(err)
	}
	h, err := cat.Acquire(ctx, "customer-7")
	if err != nil {
		log.Fatal(err)
	}
	defer h.Release()
	if _, err := h.DB().Exec(ctx, "CREATE TABLE city(name)"); err != nil {
		log.Fatal(err)
	}
	if _, err := cat.Fork(ctx, "customer-7", "customer-7-test"); err != nil {
		log.Fatal(err)
	}
	list, err := cat.List(ctx, "customer-", "", 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, i := range list {
		fmt.Println(i.Name, i.Config.MaxBytes)
	}
	// Output:
	// customer-7 1073741824
	// customer-7-test 1073741824
}
