package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/nearlite/nearlite/storage"
)

// Delete removes objects, a thousand at a time.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	if err := s.usable(ctx, "delete", ""); err != nil {
		return err
	}
	var errs []error
	good := make([]string, 0, len(keys))
	for _, key := range keys {
		if err := s.beginWrite(ctx, "delete", key); err != nil {
			errs = append(errs, err)
			continue
		}
		good = append(good, key)
	}
	for batch := range slices.Chunk(good, 1000) {
		if len(batch) == 1 {
			errs = append(errs, s.deleteOne(ctx, batch[0]))
		} else {
			errs = append(errs, s.deleteBatch(ctx, batch))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) deleteOne(ctx context.Context, key string) error {
	_, err := s.retry(ctx, s.opts.TryTimeout, func(ctx context.Context) error {
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.opts.Bucket, Key: s.object(key)})
		return err
	})
	if notFound(err) == storage.ErrNotExist {
		return nil
	}
	return s.failed(ctx, "delete", key, err)
}

// deleteBatch asks for many at once. The answer names those that were not deleted;
// the temporary ones among them are asked for again.
func (s *Store) deleteBatch(ctx context.Context, keys []string) error {
	var denied []error
	_, err := s.retry(ctx, s.tryTime(int64(len(keys)*storage.MaxKey)), func(ctx context.Context) error {
		out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.opts.Bucket, Delete: s.batch(keys)})
		if err != nil {
			return err
		}
		keys, denied, err = s.left(out.Errors, denied)
		return err
	})
	if cannotBatch(err) {
		return s.deleteEach(ctx, keys)
	}
	if err != nil {
		for _, key := range keys {
			denied = append(denied, s.failed(ctx, "delete", key, err))
		}
	}
	return errors.Join(denied...)
}

func (s *Store) batch(keys []string) *types.Delete {
	batch := &types.Delete{Quiet: aws.Bool(true), Objects: make([]types.ObjectIdentifier, len(keys))}
	for i, key := range keys {
		batch.Objects[i].Key = s.object(key)
	}
	return batch
}

// left sorts the keys that were not deleted into those to try again, with the
// reason, and those to give up.
func (s *Store) left(failures []types.Error, denied []error) (keys []string, _ []error, _ error) {
	var cause error
	for _, failure := range failures {
		name := aws.ToString(failure.Code)
		key, ok := s.key(aws.ToString(failure.Key))
		if !ok || name == "NoSuchKey" {
			continue
		}
		err := fmt.Errorf("%s: %s", name, aws.ToString(failure.Message))
		switch name {
		case "InternalError", "SlowDown", "ServiceUnavailable":
			keys = append(keys, key)
			cause = fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
		default:
			denied = append(denied, s.refused("delete", key, err, remedies[name]))
		}
	}
	return keys, denied, cause
}

// cannotBatch reports whether the endpoint does not know the request for many.
func cannotBatch(err error) bool {
	switch code(err) {
	case "NotImplemented", "MissingContentMD5", "MethodNotAllowed":
		return true
	}
	return status(err) == http.StatusNotImplemented
}

// deleteEach deletes one by one, sixteen at a time.
func (s *Store) deleteEach(ctx context.Context, keys []string) error {
	errs := make([]error, len(keys))
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, key := range keys {
		slots <- struct{}{}
		all.Go(func() {
			errs[i] = s.deleteOne(ctx, key)
			<-slots
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
