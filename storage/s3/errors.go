package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/nearlite/nearlite/storage"
)

// failed says what an error means to the caller: what was tried was certainly not
// done.
func (s *Store) failed(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	var done *storage.Error
	if errors.As(err, &done) {
		return err
	}
	e := &storage.Error{Op: op, Store: s.url, Key: key, Err: shorten(err)}
	for _, kind := range []error{
		storage.ErrNotExist, storage.ErrExist, storage.ErrConflict, storage.ErrContent, storage.ErrRange,
		storage.ErrDamaged, storage.ErrRefused, storage.ErrUnavailable, storage.ErrClosed,
	} {
		if errors.Is(err, kind) {
			e.Kind = kind
			if kind == err {
				e.Err = nil
			}
			return e
		}
	}
	if ctx.Err() == nil {
		e.Remedy, e.Kind = s.explain(err)
	}
	return e
}

// unknown is for a write that may have been done.
func (s *Store) unknown(op, key string, err error) error {
	remedy, _ := s.explain(err)
	return &storage.Error{Op: op, Store: s.url, Key: key, Kind: storage.ErrUnknown, Err: shorten(err), Remedy: remedy}
}

// explain returns a remedy for an error, and its kind.
func (s *Store) explain(err error) (remedy string, kind error) {
	var bad credentialsError
	switch {
	case errors.As(err, &bad):
		return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws/credentials with ?profile=…", storage.ErrRefused
	case status(err) != 0:
		return s.explainAnswer(err)
	case isCertificate(err):
		return "the certificate is not one this machine trusts: set AWS_CA_BUNDLE, or correct the endpoint", storage.ErrRefused
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return "is the host's name right? " + s.reach(), storage.ErrUnavailable
	}
	return s.reach(), storage.ErrUnavailable
}

func (s *Store) reach() string {
	if s.opts.Endpoint == "" {
		return "is S3 reachable from here?"
	}
	return "is " + s.opts.Endpoint + " reachable from here?"
}

// remedies are for S3's names of errors.
var remedies = map[string]string{
	"NoSuchBucket":                       "create the bucket, or correct its name",
	"InvalidBucketName":                  "correct the bucket's name",
	"InvalidAccessKeyId":                 "the access key is not known there: correct AWS_ACCESS_KEY_ID",
	"XAdminUserNotFound":                 "the access key is not known there: correct AWS_ACCESS_KEY_ID",
	"NotFound":                           "is this the address of an S3 service, and is the bucket there?",
	"SignatureDoesNotMatch":              "the secret key does not belong to the access key: correct AWS_SECRET_ACCESS_KEY",
	"ExpiredToken":                       "the session token has expired: get another",
	"InvalidToken":                       "correct AWS_SESSION_TOKEN",
	"AccessDenied":                       "the credentials lack a permission: grant s3:GetObject, s3:ListBucket (without it a missing object is answered with 403, too), and to write s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload",
	"AllAccessDisabled":                  "ask the bucket's owner",
	"AuthorizationHeaderMalformed":       "the region is probably not the bucket's: correct ?region=…",
	"PermanentRedirect":                  "the bucket is in another region: correct ?region=…",
	"IllegalLocationConstraintException": "the bucket is in another region: correct ?region=…",
	"EntityTooLarge":                     "use a smaller ?part-size=…",
	"QuotaExceeded":                      "make room in the bucket, or raise its quota",
	"XMinioStorageFull":                  "make room on the server's disk",
	"ObjectParentIsFile":                 "this server cannot keep an object below the key of another",
	"ExistingObjectIsDirectory":          "this server cannot keep an object whose key other objects go on from",
}

func (s *Store) explainAnswer(err error) (remedy string, kind error) {
	name := code(err)
	if name == "RequestTimeTooSkewed" {
		return clockRemedy(header(err, "Date"), time.Now()), storage.ErrRefused
	}
	if judge(err) != settled || name == "QuotaExceeded" || name == "XMinioStorageFull" {
		return remedies[name], storage.ErrUnavailable
	}
	if region := header(err, "X-Amz-Bucket-Region"); region != "" && (status(err) == http.StatusMovedPermanently || status(err) == http.StatusBadRequest) {
		return "the bucket is in the region " + region + ": say ?region=" + region, storage.ErrRefused
	}
	remedy = remedies[name]
	if remedy == "" && status(err) == http.StatusForbidden {
		remedy = remedies["AccessDenied"] // to a HEAD there is no other answer
	}
	return remedy, storage.ErrRefused
}

// clockRemedy says how wrong the clock is, by the time of the answer.
func clockRemedy(date string, now time.Time) string {
	const what = "set this machine's clock"
	there, err := http.ParseTime(date)
	if err != nil {
		return what
	}
	off, way := now.Sub(there).Round(time.Second), "ahead of"
	if off < 0 {
		off, way = -off, "behind"
	}
	return fmt.Sprintf("%s: it is %v %s the server's", what, off, way)
}

// answer is an error of the service in one line, instead of the SDK's three.
type answer struct {
	status                 int
	code, message, request string
	cause                  error
}

func (a answer) Error() string {
	text := fmt.Sprintf("%s (%d)", a.code, a.status)
	if a.code == "" {
		text = fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	}
	if a.message != "" && a.message != a.code && a.message != "UnknownError" {
		text += ": " + a.message
	}
	if a.request != "" {
		text += ", request " + a.request
	}
	return text
}

func (a answer) Unwrap() error { return a.cause }

// shorten leaves out what the SDK says of itself.
func shorten(err error) error {
	var over ended
	if errors.As(err, &over) {
		return err
	}
	var api smithy.APIError
	var response *awshttp.ResponseError
	if status := status(err); status != 0 {
		a := answer{status: status, cause: err}
		if errors.As(err, &api) {
			a.code, a.message = api.ErrorCode(), api.ErrorMessage()
		}
		if errors.As(err, &response) {
			a.request = response.ServiceRequestID()
		}
		return a
	}
	var op *smithy.OperationError
	if errors.As(err, &op) && error(op) == err {
		return op.Err
	}
	return err
}

func isCertificate(err error) bool {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var verification *tls.CertificateVerificationError
	return errors.As(err, &authority) || errors.As(err, &invalid) || errors.As(err, &host) || errors.As(err, &verification)
}
