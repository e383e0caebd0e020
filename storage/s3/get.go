package s3

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/nearlite/nearlite/storage"
)

// Get reads an object or a part of it.
func (s *Store) Get(ctx context.Context, key string, part storage.Range) (io.ReadCloser, storage.Info, error) {
	if err := s.begin(ctx, "get", key); err != nil {
		return nil, storage.Info{}, err
	}
	if part.Length < 0 {
		return nil, storage.Info{}, s.failed(ctx, "get", key, storage.ErrRange)
	}
	r := &reader{Store: s, ctx: ctx, info: storage.Info{Key: key}, cancel: func(error) {}}
	_, err := s.retry(ctx, s.opts.TryTimeout*2, func(context.Context) error { return r.open(part) })
	if err != nil {
		return nil, storage.Info{}, s.failed(ctx, "get", key, notFound(err))
	}
	return r, r.info, nil
}

// Stat describes an object.
func (s *Store) Stat(ctx context.Context, key string) (storage.Info, error) {
	if err := s.begin(ctx, "stat", key); err != nil {
		return storage.Info{}, err
	}
	var info storage.Info
	_, err := s.retry(ctx, s.opts.TryTimeout, func(ctx context.Context) (err error) {
		info, _, err = s.head(ctx, key)
		return err
	})
	return info, s.failed(ctx, "stat", key, notFound(err))
}

// head asks for what is known of an object, and for the mark of who stored it.
func (s *Store) head(ctx context.Context, key string) (storage.Info, string, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.opts.Bucket, Key: s.object(key)})
	if err != nil {
		return storage.Info{}, "", err
	}
	return storage.Info{
		Key: key, Size: aws.ToInt64(out.ContentLength), Version: version(out.ETag),
		Time: aws.ToTime(out.LastModified), SHA256: knownSum(out.Metadata),
	}, out.Metadata[metaPut], nil
}

// notFound says that there is no object, if that is the answer. A bucket that does
// not exist is another error; the answer to a HEAD cannot tell the two apart.
func notFound(err error) error {
	if name := code(err); status(err) == http.StatusNotFound && (name == "NoSuchKey" || name == "NotFound" || name == "") {
		return storage.ErrNotExist
	}
	return err
}

func knownSum(metadata map[string]string) []byte {
	sum, err := hex.DecodeString(metadata[metaSum])
	if err != nil || len(sum) != len(storage.Sum{}) {
		return nil
	}
	return sum
}

// reader reads a part of an object, over as many connections as it takes.
type reader struct {
	*Store
	ctx    context.Context
	cancel func(error) // ends the request that body belongs to
	info   storage.Info
	body   io.ReadCloser
	idle   *time.Timer // runs while something is awaited

	at, to int64 // the next byte, and the one after the last
	hash   hash.Hash
	want   []byte // what hash has to come to at the end; nil: not known

	stalled time.Time     // since when connections break without a byte; zero: they do not
	pause   time.Duration // before the next
}

// open sends the first request, or one for what is left.
func (r *reader) open(part storage.Range) error {
	ctx, cancel := context.WithCancelCause(r.ctx)
	idle := time.AfterFunc(r.opts.TryTimeout, func() { cancel(errTry) })
	in := s3.GetObjectInput{Bucket: &r.opts.Bucket, Key: r.object(r.info.Key), Range: rangeHeader(part)}
	if r.info.Version != "" {
		in.IfMatch = aws.String(string(r.info.Version))
	}
	var options []func(*s3.Options)
	if part == storage.All {
		options = append(options, askChecksum)
	}
	out, err := r.client.GetObject(ctx, &in, options...)
	idle.Stop()
	if err == nil {
		err = r.accept(part, out)
	}
	if err != nil {
		err = explainTimeout(r.ctx, ctx, r.opts.TryTimeout, err)
		cancel(nil)
		return outOfRange(err)
	}
	r.cancel, r.body, r.idle = cancel, out.Body, idle
	return nil
}

// askChecksum asks for the checksum without the SDK's own comparison, which does
// not survive a connection that breaks.
func askChecksum(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Checksum-Mode", "ENABLED"))
}

// accept takes over what an answer says of the object.
func (r *reader) accept(part storage.Range, out *s3.GetObjectOutput) error {
	size := aws.ToInt64(out.ContentLength)
	if part != storage.All {
		total, ok := totalSize(aws.ToString(out.ContentRange))
		if !ok && size > 0 { // nothing may be answered with nothing
			out.Body.Close()
			return fmt.Errorf("%w: the endpoint does not answer to ranges: Content-Range is %q", storage.ErrRefused, aws.ToString(out.ContentRange))
		}
		size = total
	}
	from, to, err := part.In(size)
	switch {
	case r.info.Version == "": // the first answer
		r.info = storage.Info{
			Key: r.info.Key, Size: size, Version: version(out.ETag),
			Time: aws.ToTime(out.LastModified), SHA256: knownSum(out.Metadata),
		}
		r.at, r.to = from, to
		if part == storage.All {
			r.hash, r.want = checks{out.ChecksumCRC64NVME, out.ChecksumCRC32C, out.ChecksumSHA256}.verifier(r.info.SHA256)
		}
	case from != r.at || to != r.to || version(out.ETag) != r.info.Version:
		err = storage.ErrConflict
	}
	if err != nil {
		out.Body.Close()
	}
	return err
}

// Read goes on with another request where one breaks off.
func (r *reader) Read(p []byte) (int, error) {
	for r.at < r.to && len(p) > 0 {
		if r.ctx.Err() != nil {
			return 0, r.failed(r.ctx, "get", r.info.Key, context.Cause(r.ctx))
		}
		n, err := r.read(p)
		if n > 0 {
			return n, nil
		}
		if err := r.resume(err); err != nil {
			return 0, r.failed(r.ctx, "get", r.info.Key, err)
		}
	}
	if r.at < r.to {
		return 0, nil
	}
	return 0, r.finish()
}

// read reads from the body there is, until it breaks or ends too early.
func (r *reader) read(p []byte) (int, error) {
	if r.body == nil {
		return 0, io.ErrUnexpectedEOF // an earlier Read has given up
	}
	r.idle.Reset(r.opts.TryTimeout)
	n, err := r.body.Read(p[:min(int64(len(p)), r.to-r.at)])
	r.idle.Stop()
	r.at += int64(n)
	if r.hash != nil {
		r.hash.Write(p[:n])
	}
	if n > 0 {
		r.stalled, r.pause = time.Time{}, 0
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// finish compares the checksum, once everything is there.
func (r *reader) finish() error {
	if r.hash != nil && !bytes.Equal(r.hash.Sum(nil), r.want) {
		return r.failed(r.ctx, "get", r.info.Key, storage.ErrDamaged)
	}
	return io.EOF
}

// resume asks for what is left, and only of the object that was begun.
func (r *reader) resume(cause error) error {
	r.stop()
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if r.closed.Load() {
		return storage.ErrClosed
	}
	if err := r.wait(cause); err != nil {
		return err
	}
	rest := storage.Range{Offset: r.at, Length: r.to - r.at}
	_, err := r.retry(r.ctx, r.opts.TryTimeout*2, func(context.Context) error { return r.open(rest) })
	if err != nil {
		r.stalled = time.Time{} // likewise
	}
	if status(err) == http.StatusPreconditionFailed || notFound(err) == storage.ErrNotExist || errors.Is(err, storage.ErrRange) {
		return fmt.Errorf("%w, after %d of %d bytes (%w)", storage.ErrConflict, r.at, r.info.Size, cause)
	}
	return err
}

// wait makes pauses when one connection after the other breaks without a byte, and
// gives up when that has gone on for RetryFor.
func (r *reader) wait(cause error) error {
	if r.stalled.IsZero() {
		r.stalled, r.pause = time.Now(), r.Store.pause
		return nil
	}
	if time.Since(r.stalled) > r.opts.RetryFor {
		r.stalled = time.Time{} // the next Read has as much patience
		return cause
	}
	select {
	case <-time.After(r.pause/2 + rand.N(r.pause/2)):
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
	r.pause = min(2*r.pause, maxPause)
	return nil
}

// stop gives the connection back.
func (r *reader) stop() {
	if r.body != nil {
		r.cancel(nil)
		r.body.Close()
		r.body = nil
	}
}

// Close ends the request. It may be called at any point.
func (r *reader) Close() error {
	r.to, r.hash = r.at, nil
	r.stop()
	return nil
}

// rangeHeader is a range in HTTP's words.
func rangeHeader(part storage.Range) *string {
	switch {
	case part == storage.All:
		return nil
	case part.Offset < 0: // the length can only be cut off here
		return aws.String("bytes=" + strconv.FormatInt(part.Offset, 10))
	case part.Length == 0 || part.Length > math.MaxInt64-part.Offset:
		return aws.String("bytes=" + strconv.FormatInt(part.Offset, 10) + "-")
	}
	return aws.String(fmt.Sprintf("bytes=%d-%d", part.Offset, part.Offset+part.Length-1))
}

// totalSize reads the size of the object in "bytes 0-99/1000".
func totalSize(contentRange string) (int64, bool) {
	_, total, ok := strings.Cut(contentRange, "/")
	size, err := strconv.ParseInt(total, 10, 64)
	return size, ok && err == nil && strings.HasPrefix(contentRange, "bytes ")
}

func outOfRange(err error) error {
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return storage.ErrRange
	}
	return err
}
