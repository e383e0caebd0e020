package s3

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/nearlite/nearlite/storage"
)

// These keys nobody can use. The first is written once and never changed, the
// second never.
const (
	probeKey     = storage.Reserved + "/probe"
	absentKey    = storage.Reserved + "/absent"
	probeContent = "Nearlite writes this object to find out whether the storage honours conditional writes.\n"
)

// probe finds out whether the endpoint honours the conditions of writes: it has to
// refuse to create what exists, to replace what has another version, and to
// replace what does not exist.
func (s *Store) probe(ctx context.Context) error {
	star, other := aws.String("*"), aws.String(`"00000000000000000000000000000000"`)
	var create, replace, absent error
	var all sync.WaitGroup
	all.Go(func() { create = s.tryCondition(ctx, probeKey, star, nil) })
	all.Go(func() { replace = s.tryCondition(ctx, probeKey, nil, other) })
	all.Go(func() { absent = s.tryCondition(ctx, absentKey, nil, other) })
	all.Wait()
	if create == nil { // it did not exist, or nobody looked
		create = s.tryCondition(ctx, probeKey, star, nil)
		replace = s.tryCondition(ctx, probeKey, nil, other)
	}
	if absent == nil {
		_ = s.deleteOne(ctx, absentKey)
	}
	return cmp.Or(
		s.judgeProbe(ctx, "If-None-Match", create),
		s.judgeProbe(ctx, "If-Match", replace),
		s.judgeProbe(ctx, "If-Match on a key without an object", absent))
}

func (s *Store) tryCondition(ctx context.Context, key string, ifNoneMatch, ifMatch *string) error {
	_, err := s.retry(ctx, s.opts.TryTimeout, func(ctx context.Context) error {
		_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.opts.Bucket, Key: s.object(key), IfNoneMatch: ifNoneMatch, IfMatch: ifMatch,
			Body: strings.NewReader(probeContent), ContentType: aws.String("text/plain"),
		})
		return err
	})
	return err
}

// judgeProbe expects the refusal, which for an object that does not exist may be a
// 404.
func (s *Store) judgeProbe(ctx context.Context, header string, err error) error {
	switch status := status(err); {
	case err == nil:
		return s.unconditional("open", "", fmt.Errorf("the endpoint ignores %s", header))
	case status == http.StatusPreconditionFailed, status == http.StatusNotFound && code(err) == "NoSuchKey":
		return nil
	case status == http.StatusNotImplemented:
		return s.unconditional("open", "", err)
	}
	return s.failed(ctx, "open", "", err)
}
