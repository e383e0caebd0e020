package s3

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/nearlite/nearlite/storage"
)

// upload is a write in parts. One goroutine reads, others send; the first error
// ends them all.
type upload struct {
	*write
	id   *string
	size int64     // negative: not known
	hash hash.Hash // of all bytes; nil: not wanted

	slots   chan struct{} // one for each part that is in memory
	senders sync.WaitGroup

	mu    sync.Mutex // guards the following
	parts []types.CompletedPart
	free  [][]byte // buffers to use again
}

// upload stores what body delivers after the bytes that were read already. It
// first asks whether the write can succeed at all, which is cheap beside it.
func (w *write) upload(ctx context.Context, body io.Reader, read []byte, size int64) (storage.Info, error) {
	if err := w.precheck(ctx); err != nil {
		return storage.Info{}, err
	}
	u := &upload{write: w, size: size, hash: w.newHash(), slots: make(chan struct{}, w.opts.Uploads)}
	if w.opts.Checksum != CRC64NVME {
		u.hash = nil // it would not be that of the whole
	}
	if err := u.begin(ctx); err != nil {
		return storage.Info{}, err
	}
	if err := u.sendAll(ctx, body, read); err != nil {
		u.abort(ctx)
		return storage.Info{}, err
	}
	info, err := u.complete(ctx)
	if err != nil && !errors.Is(err, storage.ErrUnknown) {
		u.abort(ctx)
	}
	return info, err
}

// precheck spares the way to bytes that would be refused at its end.
func (w *write) precheck(ctx context.Context) error {
	info, err := w.Stat(ctx, w.key)
	switch {
	case err == nil && w.ifNoneMatch != nil:
		return storage.ErrExist
	case err == nil && info.Version != storage.Version(*w.ifMatch):
		return fmt.Errorf("%w: its version is %s, not %s", storage.ErrConflict, info.Version, *w.ifMatch)
	case errors.Is(err, storage.ErrNotExist) && w.ifMatch != nil:
		return fmt.Errorf("%w: there is none now", storage.ErrConflict)
	case errors.Is(err, storage.ErrNotExist):
		return nil
	}
	return err
}

func (u *upload) begin(ctx context.Context) error {
	in := s3.CreateMultipartUploadInput{
		Bucket: &u.opts.Bucket, Key: u.object(u.key), ContentType: aws.String("application/octet-stream"),
		ChecksumAlgorithm: u.algorithm(), ChecksumType: u.whole(), Metadata: map[string]string{metaPut: u.mark},
	}
	_, err := u.retry(ctx, u.opts.TryTimeout, func(ctx context.Context) error {
		out, err := u.client.CreateMultipartUpload(ctx, &in)
		if err == nil {
			u.id = out.UploadId
		}
		return err
	})
	return err
}

// sendAll cuts what is read into parts and sends them.
func (u *upload) sendAll(ctx context.Context, body io.Reader, read []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := u.cut(ctx, cancel, body, read)
	u.senders.Wait()
	if err == nil {
		err = context.Cause(ctx) // of the first part that failed, if any did
	}
	return err
}

func (u *upload) cut(ctx context.Context, cancel context.CancelCauseFunc, body io.Reader, read []byte) error {
	body = io.MultiReader(newBody(read), body)
	for number := 1; ; number++ {
		select {
		case u.slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		part := u.buffer(u.partSize(number))
		n, err := io.ReadFull(body, part)
		if n > 0 && number <= maxParts && (err == nil || err == io.ErrUnexpectedEOF) {
			u.sent += int64(n)
			if u.hash != nil {
				u.hash.Write(part[:n])
			}
			u.senders.Go(func() { u.sendPart(ctx, cancel, number, part, n) })
		}
		switch {
		case err == io.EOF, err == io.ErrUnexpectedEOF:
			return nil
		case err != nil:
			return err
		case number > maxParts:
			return fmt.Errorf("%w: it has more than %d parts; tell its size, or use a larger ?part-size=…", storage.ErrContent, maxParts)
		}
	}
}

// partSize is the size of a part. If nobody knows how many there will be, they
// grow: the ten thousand that S3 allows come to 4 TiB.
func (u *upload) partSize(number int) int64 {
	if u.size >= 0 {
		return max(u.opts.PartSize, (u.size+maxParts-1)/maxParts)
	}
	return min(u.opts.PartSize<<((number-1)/1000), max(u.opts.PartSize, 1<<30))
}

func (u *upload) buffer(size int64) []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, b := range u.free {
		if int64(len(b)) == size {
			u.free = slices.Delete(u.free, i, i+1)
			return b
		}
	}
	u.free = nil
	return make([]byte, size)
}

func (u *upload) sendPart(ctx context.Context, cancel context.CancelCauseFunc, number int, buffer []byte, size int) {
	part, err := u.send(ctx, number, buffer[:size])
	if err != nil {
		cancel(err)
	}
	u.mu.Lock()
	u.parts = append(u.parts, part)
	u.free = append(u.free, buffer)
	u.mu.Unlock()
	<-u.slots
}

// send sends one part. To send it again is harmless.
func (u *upload) send(ctx context.Context, number int, content []byte) (types.CompletedPart, error) {
	checks := u.newChecks(content)
	part := types.CompletedPart{
		PartNumber:        aws.Int32(int32(number)),
		ChecksumCRC64NVME: checks.crc64nvme, ChecksumCRC32C: checks.crc32c, ChecksumSHA256: checks.sha256,
	}
	in := s3.UploadPartInput{
		Bucket: &u.opts.Bucket, Key: u.object(u.key), UploadId: u.id, PartNumber: part.PartNumber,
		ContentLength:     aws.Int64(int64(len(content))),
		ChecksumAlgorithm: u.algorithm(),
		ChecksumCRC64NVME: checks.crc64nvme, ChecksumCRC32C: checks.crc32c, ChecksumSHA256: checks.sha256,
	}
	_, err := u.retry(ctx, u.tryTime(int64(len(content))), func(ctx context.Context) error {
		body := newBody(content)
		defer body.release()
		in := in
		in.Body = body
		out, err := u.client.UploadPart(ctx, &in)
		if err == nil {
			part.ETag = out.ETag
		}
		return err
	})
	return part, err
}

// complete makes the object of its parts, on condition.
func (u *upload) complete(ctx context.Context) (storage.Info, error) {
	slices.SortFunc(u.parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	in := s3.CompleteMultipartUploadInput{
		Bucket: &u.opts.Bucket, Key: u.object(u.key), UploadId: u.id, IfNoneMatch: u.ifNoneMatch, IfMatch: u.ifMatch,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}, ChecksumType: u.whole(),
	}
	if u.hash != nil {
		in.ChecksumCRC64NVME = u.checksOf(u.hash).crc64nvme
	}
	// The service may have to copy the parts, and says nothing meanwhile.
	limit := u.opts.TryTimeout + time.Duration(u.sent>>26)*time.Second
	return u.decide(ctx, limit, func(ctx context.Context) (storage.Info, error) {
		out, err := u.client.CompleteMultipartUpload(ctx, &in)
		if err != nil {
			return storage.Info{}, err
		}
		return u.stored(out.ETag, out.ResultMetadata), nil
	})
}

// abort frees what the parts take. It is done also when the context has ended;
// where it fails, a lifecycle rule of the bucket has to do it.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(u.opts.TryTimeout, 3*time.Second))
	defer cancel()
	_, _ = u.retry(ctx, u.opts.TryTimeout, func(ctx context.Context) error {
		_, err := u.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket: &u.opts.Bucket, Key: u.object(u.key), UploadId: u.id,
		})
		if status(err) == http.StatusNotFound {
			return nil
		}
		return err
	})
}
