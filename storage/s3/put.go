package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/nearlite/nearlite/storage"
)

// The metadata of every object this package writes.
const (
	metaPut = "nearlite-put"    // a random number of the call that stored it
	metaSum = "nearlite-sha256" // of the content, if it went in one PUT
)

// Create stores content under a new key.
func (s *Store) Create(ctx context.Context, key string, content storage.Content) (storage.Info, error) {
	w := s.newWrite("create", key)
	w.ifNoneMatch = aws.String("*")
	return w.run(ctx, content)
}

// Replace stores content in place of what has the version old.
func (s *Store) Replace(ctx context.Context, key string, content storage.Content, old storage.Version) (storage.Info, error) {
	w := s.newWrite("replace", key)
	w.ifMatch = aws.String(string(old))
	return w.run(ctx, content)
}

// A write is one call of Create or Replace.
type write struct {
	*Store
	op, key              string
	ifNoneMatch, ifMatch *string
	mark                 string // what tells our object from anybody else's
	sum                  []byte // nil: not known
	sent                 int64
}

func (s *Store) newWrite(op, key string) *write {
	return &write{Store: s, op: op, key: key, mark: rand.Text()}
}

// run stores a content in one request or in parts, whichever its size asks for.
func (w *write) run(ctx context.Context, content storage.Content) (storage.Info, error) {
	if err := w.beginWrite(ctx, w.op, w.key); err != nil {
		return storage.Info{}, err
	}
	if w.ifMatch != nil && *w.ifMatch == "" {
		return storage.Info{}, w.failed(ctx, w.op, w.key, fmt.Errorf("%w: no object has the version \"\"", storage.ErrConflict))
	}
	info, err := w.store(ctx, content)
	return info, w.failed(ctx, w.op, w.key, err)
}

func (w *write) store(ctx context.Context, content storage.Content) (storage.Info, error) {
	if slice, ok := content.Slice(); ok && int64(len(slice)) <= w.opts.PartSize {
		sum := sha256.Sum256(slice)
		if want := content.Sum(); want != nil && sum != *want {
			return storage.Info{}, fmt.Errorf("%w: its SHA-256 is %x and should be %x", storage.ErrContent, sum, *want)
		}
		return w.put(ctx, slice, sum)
	}
	body := content.Reader(ctx)
	if content.Size() > w.opts.PartSize {
		return w.upload(ctx, body, nil, content.Size())
	}
	first, err := io.ReadAll(io.LimitReader(body, w.opts.PartSize+1))
	if err != nil {
		return storage.Info{}, err
	}
	if int64(len(first)) > w.opts.PartSize {
		return w.upload(ctx, body, first, content.Size())
	}
	return w.put(ctx, first, sha256.Sum256(first))
}

// put stores bytes in one request.
func (w *write) put(ctx context.Context, content []byte, sum storage.Sum) (storage.Info, error) {
	w.sum, w.sent = sum[:], int64(len(content))
	in := s3.PutObjectInput{
		Bucket: &w.opts.Bucket, Key: w.object(w.key), IfNoneMatch: w.ifNoneMatch, IfMatch: w.ifMatch,
		ContentLength: aws.Int64(int64(len(content))), ContentType: aws.String("application/octet-stream"),
		Metadata: map[string]string{metaPut: w.mark, metaSum: hex.EncodeToString(sum[:])},
	}
	checks := w.newChecks(content)
	in.ChecksumCRC64NVME, in.ChecksumCRC32C, in.ChecksumSHA256 = checks.crc64nvme, checks.crc32c, checks.sha256
	return w.decide(ctx, w.tryTime(w.sent), func(ctx context.Context) (storage.Info, error) {
		body := newBody(content)
		defer body.release()
		in := in
		in.Body = body
		out, err := w.client.PutObject(ctx, &in, signed(sum))
		if err != nil {
			return storage.Info{}, err
		}
		return w.stored(out.ETag, out.ResultMetadata), nil
	})
}

// decide tries to write until the outcome is known, or nothing more can be done to
// learn it.
func (w *write) decide(ctx context.Context, limit time.Duration, try func(context.Context) (storage.Info, error)) (info storage.Info, err error) {
	lostOne, err := w.retry(ctx, limit, func(ctx context.Context) (err error) {
		info, err = try(ctx)
		return err
	})
	if err == nil {
		return info, nil
	}
	if !lostOne {
		return storage.Info{}, w.rejected(err)
	}
	if ctx.Err() != nil {
		return storage.Info{}, w.unknown(w.op, w.key, err)
	}
	return w.lookAfter(ctx, err)
}

// rejected is the error of a write that certainly had no effect.
func (w *write) rejected(err error) error {
	switch status(err) {
	case http.StatusPreconditionFailed:
		if w.ifMatch != nil {
			return fmt.Errorf("%w: it does not have the version %s", storage.ErrConflict, *w.ifMatch)
		}
		return storage.ErrExist
	case http.StatusConflict:
		if w.ifMatch != nil && code(err) == "ObjectParentIsFile" {
			return fmt.Errorf("%w: there cannot be any: %w", storage.ErrConflict, err)
		}
	case http.StatusNotFound:
		if code(err) == "NoSuchUpload" {
			return fmt.Errorf("%w: the upload is no longer there, begin again: %w", storage.ErrUnavailable, err)
		}
		if w.ifMatch != nil && code(err) == "NoSuchKey" {
			return fmt.Errorf("%w: there is none now", storage.ErrConflict)
		}
	case http.StatusNotImplemented:
		return w.unconditional(w.op, w.key, err)
	}
	return err
}

// lookAfter looks for our object after a lost answer. Another object settles a
// Create, for nobody could have put it in the place of ours; but the one that a
// Replace made can have been replaced in turn.
func (w *write) lookAfter(ctx context.Context, cause error) (storage.Info, error) {
	var mark string
	var info storage.Info
	look := func(ctx context.Context) (err error) {
		info, mark, err = w.head(ctx, w.key)
		return err
	}
	var err error
	if judge(cause) == settled { // it answers, so that it is worth asking
		_, err = w.retry(ctx, w.opts.TryTimeout, look)
	} else {
		err = once(ctx, w.opts.TryTimeout, look)
	}
	switch {
	case err == nil && mark == w.mark:
		return info, nil
	case err == nil && w.ifNoneMatch != nil:
		return storage.Info{}, storage.ErrExist
	}
	return storage.Info{}, w.unknown(w.op, w.key, cause)
}

// unconditional is the error for an endpoint that cannot do what all of this is
// built on.
func (s *Store) unconditional(op, key string, cause error) error {
	return s.refused(op, key, shorten(cause), "the endpoint cannot write on condition, so that two writers would overwrite each other: "+
		"use AWS S3, Cloudflare R2, versitygw or MinIO of 2026, or a directory (file:///path)")
}
