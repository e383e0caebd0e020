package compat

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server"
)

// startNearlite serves a catalog of its own, in this process. It ends with the test.
func startNearlite(t *testing.T) *peer {
	t.Helper()
	cat, err := catalog.Open(context.WithoutCancel(t.Context()), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(cat, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := cat.Close(); err != nil {
			t.Error(err)
		}
	})
	return &peer{
		url:    web.URL,
		direct: func(req *http.Request, database string) { req.Header.Set("X-Nearlite-Database", database) },
		create: func(ctx context.Context, database string) error {
			_, err := cat.Create(ctx, database, nil)
			return err
		},
	}
}
