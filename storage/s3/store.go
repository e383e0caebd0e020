package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/nearlite/nearlite/storage"
)

// Store is a bucket, or what begins with a prefix there. Its methods are those of
// [storage.Store].
type Store struct {
	opts   Options
	url    string
	prefix string // of every key, with the slash
	client *s3.Client
	idle   interface{ CloseIdleConnections() }
	closed atomic.Bool

	pageSize int32         // keys in a page of List
	pause    time.Duration // before the second try, about; it doubles from there
}

var _ storage.Store = (*Store)(nil)

// Open makes a store of a bucket that exists. Unless it is opened to read only,
// it finds out whether the endpoint honours conditions, by writing an object
// .nearlite/probe below the prefix that stays there.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s := &Store{url: opts.URL(), pageSize: 1000, pause: 50 * time.Millisecond}
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, s.refused("open", "", err, "")
	}
	s.opts = opts
	if opts.Prefix != "" {
		s.prefix = opts.Prefix + "/"
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	if opts.ReadOnly || opts.NoProbe {
		return s, nil
	}
	if err := s.probe(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connect makes the client. Tries are repeated by this package alone, which has to
// know of each whether it may have had an effect.
func (s *Store) connect(ctx context.Context) error {
	http := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 256
	})
	cfg, err := config.LoadDefaultConfig(ctx, s.configure(http)...)
	if err != nil {
		return s.refused("open", "", err, "look at ~/.aws/config, AWS_PROFILE and AWS_CA_BUNDLE")
	}
	if cfg.Region == "" && s.opts.Endpoint == "" {
		return s.refused("open", "", errors.New("the region is not known"), "add ?region=… to the URL, or set AWS_REGION")
	} else if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	cfg.Credentials = named{cfg.Credentials}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return s.failed(ctx, "open", "", err)
	}
	s.idle, _ = cfg.HTTPClient.(interface{ CloseIdleConnections() })
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.Retryer = aws.NopRetryer{}
		o.Logger = logging.Nop{}            // what matters is in the errors
		o.DisableClockSkewCorrection = true // a clock that is wrong is reported
		o.UsePathStyle = s.opts.PathStyle
		if s.opts.Endpoint != "" {
			o.BaseEndpoint = &s.opts.Endpoint
		}
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return nil
}

func (s *Store) configure(http *awshttp.BuildableClient) []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(http),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
	}
	if s.opts.Region != "" {
		options = append(options, config.WithRegion(s.opts.Region))
	}
	if s.opts.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.opts.Profile))
	}
	if s.opts.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(s.opts.AccessKey, s.opts.SecretKey, s.opts.SessionToken)))
	}
	return options
}

// named marks the errors of a credentials provider, so that they are told from
// those of the request.
type named struct{ aws.CredentialsProvider }

type credentialsError struct{ error }

func (e credentialsError) Unwrap() error { return e.error }

func (n named) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := n.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, credentialsError{err}
	}
	return c, nil
}

// String is the URL that opens this store, without credentials.
func (s *Store) String() string { return s.url }

// Close closes connections that nobody uses. Bodies that are being read stay open.
func (s *Store) Close() error {
	if !s.closed.Swap(true) && s.idle != nil {
		s.idle.CloseIdleConnections()
	}
	return nil
}

// begin checks what every call has to check.
func (s *Store) begin(ctx context.Context, op, key string) error {
	if err := s.usable(ctx, op, key); err != nil {
		return err
	}
	if err := storage.CheckKey(key); err != nil {
		return &storage.Error{Op: op, Store: s.url, Kind: storage.ErrBadKey, Err: err}
	}
	return nil
}

func (s *Store) usable(ctx context.Context, op, key string) error {
	switch {
	case s.closed.Load():
		return &storage.Error{Op: op, Store: s.url, Key: key, Kind: storage.ErrClosed}
	case ctx.Err() != nil:
		return s.failed(ctx, op, key, context.Cause(ctx))
	}
	return nil
}

// beginWrite is begin for what changes something.
func (s *Store) beginWrite(ctx context.Context, op, key string) error {
	err := s.begin(ctx, op, key)
	if err == nil && s.opts.ReadOnly {
		err = s.refused(op, key, errors.New("it was opened to read only"), "")
	}
	return err
}

// object is the name of a key in the bucket.
func (s *Store) object(key string) *string { return aws.String(s.prefix + key) }

// key is the key of a name in the bucket, if it is one.
func (s *Store) key(object string) (string, bool) {
	key, ok := strings.CutPrefix(object, s.prefix)
	return key, ok && storage.CheckKey(key) == nil
}

// tryTime is how long a try that moves so many bytes may take.
func (s *Store) tryTime(bytes int64) time.Duration {
	const slowest = 256 << 10 // bytes per second
	return s.opts.TryTimeout + time.Duration(bytes)*(time.Second/slowest)
}

// refused is an error that stays until somebody changes something.
func (s *Store) refused(op, key string, cause error, remedy string) error {
	return &storage.Error{Op: op, Store: s.url, Key: key, Kind: storage.ErrRefused, Err: cause, Remedy: remedy}
}
