package s3

import (
	"context"
	"fmt"
	"iter"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/nearlite/nearlite/storage"
)

// List asks for one page of keys after the other. Objects that no key can name are
// left out.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		err := s.usable(ctx, "list", prefix)
		if err == nil && storage.CheckPrefix(prefix) != nil {
			err = &storage.Error{Op: "list", Store: s.url, Kind: storage.ErrBadKey, Err: storage.CheckPrefix(prefix)}
		}
		if err == nil {
			err = s.failed(ctx, "list", prefix, s.list(ctx, prefix, after, yield))
		}
		if err != nil {
			yield(storage.Info{}, err)
		}
	}
}

func (s *Store) list(ctx context.Context, prefix, after string, yield func(storage.Info, error) bool) error {
	in := s3.ListObjectsV2Input{
		Bucket: &s.opts.Bucket, Prefix: s.object(prefix), MaxKeys: &s.pageSize,
		EncodingType: types.EncodingTypeUrl, // XML cannot carry every name a stranger may have used
	}
	if after != "" {
		in.StartAfter = s.object(after)
	}
	last := ""
	for {
		page, err := s.page(ctx, &in)
		if err != nil {
			return err
		}
		for _, object := range page.Contents {
			info, ok, err := s.listed(page, object)
			if err != nil {
				return err
			}
			if !ok || info.Key <= after {
				continue
			}
			if info.Key <= last {
				return fmt.Errorf("%w: the endpoint lists out of order (%q after %q), as directory buckets do: use a general purpose bucket",
					storage.ErrRefused, info.Key, last)
			}
			last = info.Key
			if !yield(info, nil) {
				return nil
			}
		}
		if !aws.ToBool(page.IsTruncated) || page.NextContinuationToken == nil {
			return nil
		}
		in.ContinuationToken = page.NextContinuationToken
	}
}

func (s *Store) page(ctx context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	var page *s3.ListObjectsV2Output
	_, err := s.retry(ctx, s.opts.TryTimeout, func(ctx context.Context) (err error) {
		page, err = s.client.ListObjectsV2(ctx, in)
		return err
	})
	return page, err
}

// listed is an entry of a page, unless it is none of ours.
func (s *Store) listed(page *s3.ListObjectsV2Output, object types.Object) (storage.Info, bool, error) {
	name := aws.ToString(object.Key)
	if page.EncodingType == types.EncodingTypeUrl {
		var err error
		if name, err = url.QueryUnescape(name); err != nil {
			return storage.Info{}, false, fmt.Errorf("the key %q in a list: %w", aws.ToString(object.Key), err)
		}
	}
	key, ok := s.key(name)
	return storage.Info{
		Key: key, Size: aws.ToInt64(object.Size), Version: version(object.ETag), Time: aws.ToTime(object.LastModified),
	}, ok, nil
}
