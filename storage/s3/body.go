package s3

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"sync"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"

	"github.com/nearlite/nearlite/storage"
)

// body is what one try sends. After a time-out the HTTP client may go on reading
// for a moment, when the bytes already belong to the caller again: release keeps
// it away from them.
type body struct {
	mu sync.Mutex
	r  *bytes.Reader // guarded by mu; nil after release
}

func newBody(b []byte) *body { return &body{r: bytes.NewReader(b)} }

// Read reads what follows.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, io.ErrClosedPipe
	}
	return b.r.Read(p)
}

// Seek is how the SDK learns the size.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, io.ErrClosedPipe
	}
	return b.r.Seek(offset, whence)
}

func (b *body) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r = nil
}

// signed lets the signature of a request use a sum that is known already.
func signed(sum storage.Sum) func(*s3.Options) {
	const name = "NearliteKnownSum"
	known := middleware.FinalizeMiddlewareFunc(name, func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error) {
		return next.HandleFinalize(v4.SetPayloadHash(ctx, hex.EncodeToString(sum[:])), in)
	})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Finalize.Add(known, middleware.Before)
		})
	}
}

// stored describes an object that was just written.
func (w *write) stored(etag *string, answer middleware.Metadata) storage.Info {
	at, _ := awsmiddleware.GetServerTime(answer)
	return storage.Info{Key: w.key, Size: w.sent, Version: version(etag), Time: at, SHA256: w.sum}
}

func version(etag *string) storage.Version {
	if etag == nil {
		return ""
	}
	return storage.Version(*etag)
}
