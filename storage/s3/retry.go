package s3

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/nearlite/nearlite/storage"
)

// A verdict is what a failed try means for the next.
type verdict int

const (
	// settled is an answer: another try would get the same.
	settled verdict = iota
	// again: it was certainly not done, and may be at another try.
	again
	// lost: nobody knows whether it was done.
	lost
)

// maxPause is as long as the pauses grow.
const maxPause = 5 * time.Second

// errTry is why a try ended that took too long.
var errTry = errors.New("no answer in time")

// retry calls try until it succeeds, or is settled, or RetryFor is over, or the
// context is. It returns the last error, and whether any of the tries may have had
// an effect nonetheless.
func (s *Store) retry(ctx context.Context, limit time.Duration, try func(context.Context) error) (lostOne bool, err error) {
	until := time.Now().Add(s.opts.RetryFor)
	for pause := s.pause; ; pause = min(2*pause, maxPause) {
		err = once(ctx, limit, try)
		if err == nil {
			return lostOne, nil
		}
		v := judge(err)
		lostOne = lostOne || v == lost
		if v == settled || ctx.Err() != nil {
			return lostOne, err
		}
		wait := max(pause/2+rand.N(pause/2), retryAfter(err))
		if time.Now().Add(wait).After(until) {
			return lostOne, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return lostOne, ended{fmt.Errorf("%w while waiting to try again after: %w", context.Cause(ctx), shorten(err)), v}
		}
	}
}

// once makes one try, which has to be over in time.
func once(ctx context.Context, limit time.Duration, try func(context.Context) error) error {
	trying, cancel := context.WithTimeoutCause(ctx, limit, errTry)
	defer cancel()
	return explainTimeout(ctx, trying, limit, try(trying))
}

// explainTimeout says that it was a try's own limit that ended it.
func explainTimeout(ctx, trying context.Context, limit time.Duration, err error) error {
	switch {
	case err == nil || trying.Err() == nil:
		return err
	case ctx.Err() != nil:
		return ended{context.Cause(ctx), judge(err)}
	case context.Cause(trying) == errTry && status(err) == 0:
		return ended{fmt.Errorf("%w (%v)", errTry, limit), judge(err)}
	}
	return err
}

// ended is a try that was ended from here, with what it may have done until then.
type ended struct {
	error
	verdict verdict
}

func (e ended) Unwrap() error { return e.error }

// judge tells what a failed try means. What is not known to be harmless is lost.
func judge(err error) verdict {
	var over ended
	if errors.As(err, &over) {
		return max(over.verdict, again)
	}
	var bad credentialsError
	switch {
	case errors.As(err, &bad), errors.Is(err, storage.ErrRange), errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrRefused):
		return settled
	case errors.Is(err, storage.ErrUnavailable):
		return again
	}
	if status := status(err); status != 0 {
		return judgeAnswer(status, code(err))
	}
	return judgeTransport(err)
}

// judgeAnswer is for what the service has answered.
func judgeAnswer(status int, code string) verdict {
	switch code {
	case "SlowDown", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted", "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch":
		return again
	}
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return again
	case status == http.StatusNotImplemented:
		return settled
	case status >= 500, status < 300:
		return lost // a 200 that could not be read may hide an error
	}
	return settled
}

// judgeTransport is for requests without an answer. Until there is a connection
// nothing can have been done.
func judgeTransport(err error) verdict {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case isCertificate(err):
		return settled
	case errors.As(err, &dns), errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		return again
	}
	return lost
}

// status is the HTTP status of an answer, zero if there was none.
func status(err error) int {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		return answer.HTTPStatusCode()
	}
	return 0
}

// code is S3's name for an error, empty if it gave none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// header is a header of the answer that an error is about.
func header(err error, name string) string {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		return answer.Response.Header.Get(name)
	}
	return ""
}

// retryAfter is how long the service asks to be left alone, half a minute at most.
func retryAfter(err error) time.Duration {
	seconds, err := strconv.Atoi(header(err, "Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 30)) * time.Second
}
