package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/nearlite/nearlite"
	"github.com/nearlite/nearlite/blob"
)

// BlobServeCmd is nearlite blob serve.
type BlobServeCmd struct {
	blobStore
	Addr string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where to listen; port 0 is any that is free (default: ${default})."`
}

// Help is the end of nearlite blob serve --help.
func (BlobServeCmd) Help() string {
	return `An object is at the path of its name, with ranges, Last-Modified, its content type
and an ETag; index.html is the page of its directory. Whoever reaches the address
may read everything. Ctrl-C ends it, after downloads have had five seconds.

  nearlite blob serve app.db
  curl http://127.0.0.1:8080/images/cat.png`
}

const (
	serveGrace = 5 * time.Second // for downloads under way at the end
	serveSweep = time.Minute     // between two looks for what can be freed
)

// Run serves until it is interrupted.
func (c *BlobServeCmd) Run(ctx context.Context, env *Env) error {
	store, db, err := c.open(ctx, env, toRead)
	if err != nil {
		return err
	}
	defer db.Close()
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return advise(err, "--addr 127.0.0.1:0 takes a port that is free")
		}
		return err
	}
	server := &http.Server{
		Handler:           store.Handler(db),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          log.New(env.Stderr, "", 0),
	}
	fmt.Fprintf(env.Stdout, "http://%s/ serves %s; Ctrl-C ends it\n", listener.Addr(), c.DB)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		c.sweep(ctx, store, db)
	}()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err = <-ended: // it could not go on
	case <-ctx.Done():
		err = shutdown(server)
	}
	stop()
	<-swept
	return err
}

// sweep frees what deleted objects leave behind, as long as ctx lasts.
func (c *BlobServeCmd) sweep(ctx context.Context, store *blob.Store, db *nearlite.DB) {
	tick := time.NewTicker(serveSweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			sweep(ctx, store, db)
		}
	}
}

// shutdown lets downloads finish, then ends them.
func shutdown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), serveGrace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return server.Close()
	}
	return nil
}
