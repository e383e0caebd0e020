package s3

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/nearlite/nearlite/storage"
)

// probeKey is written once and never changed; no caller's key can be it.
const (
	probeKey     = storage.Reserved + "/probe"
	probeContent = "Nearlite writes this object to find out whether the storage honours conditional writes.\n"
)

// probe finds out whether the endpoint honours the conditions of writes: it has to
// refuse to create what exists, and to replace what has another version. The first
// time ever it takes one request more.
func (s *Store) probe(ctx context.Context) error {
	var create, replace error
	var both sync.WaitGroup
	both.Go(func() { create = s.tryCondition(ctx, aws.String("*"), nil) })
	both.Go(func() { replace = s.tryCondition(ctx, nil, aws.String(`"00000000000000000000000000000000"`)) })
	both.Wait()
	if create == nil { // it did not exist, or nobody looked
		create = s.tryCondition(ctx, aws.String("*"), nil)
	}
	if err := s.judgeProbe(ctx, "If-None-Match", create); err != nil {
		return err
	}
	return s.judgeProbe(ctx, "If-Match", replace)
}

func (s *Store) tryCondition(ctx context.Context, ifNoneMatch, ifMatch *string) error {
	_, err := s.retry(ctx, s.opts.TryTimeout, func(ctx context.Context) error {
		_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.opts.Bucket, Key: s.object(probeKey), IfNoneMatch: ifNoneMatch, IfMatch: ifMatch,
			Body: strings.NewReader(probeContent), ContentType: aws.String("text/plain"),
		})
		return err
	})
	return err
}

// judgeProbe expects the refusal. A condition on an object that does not exist may
// be answered with 404, and one that is being decided with 409.
func (s *Store) judgeProbe(ctx context.Context, header string, err error) error {
	switch status := status(err); {
	case err == nil:
		return s.unconditional("open", "", fmt.Errorf("%w %s", errIgnored, header))
	case status == http.StatusPreconditionFailed,
		status == http.StatusNotFound && code(err) == "NoSuchKey":
		return nil
	case status == http.StatusNotImplemented:
		return s.unconditional("open", "", err)
	}
	return s.failed(ctx, "open", "", err)
}
