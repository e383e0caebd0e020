package s3

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// parameters are what may follow the question mark of a URL.
var parameters = map[string]func(o *Options, value string) error{
	"endpoint":   func(o *Options, v string) error { o.Endpoint = v; return nil },
	"region":     func(o *Options, v string) error { o.Region = v; return nil },
	"profile":    func(o *Options, v string) error { o.Profile = v; return nil },
	"checksum":   func(o *Options, v string) error { o.Checksum = Checksum(v); return nil },
	"path-style": func(o *Options, v string) error { return set(&o.PathStyle, v, strconv.ParseBool) },
	"readonly":   func(o *Options, v string) error { return set(&o.ReadOnly, v, strconv.ParseBool) },
	"probe": func(o *Options, v string) error {
		return set(&o.NoProbe, v, func(v string) (bool, error) { probe, err := strconv.ParseBool(v); return !probe, err })
	},
	"part-size": func(o *Options, v string) error { return set(&o.PartSize, v, parseSize) },
	"uploads":   func(o *Options, v string) error { return set(&o.Uploads, v, strconv.Atoi) },
	"timeout":   func(o *Options, v string) error { return set(&o.TryTimeout, v, parseDuration) },
	"retry-for": func(o *Options, v string) error { return set(&o.RetryFor, v, parseDuration) },
}

func set[T any](field *T, value string, parse func(string) (T, error)) (err error) {
	*field, err = parse(value)
	return err
}

// ParseURL reads s3://BUCKET/PREFIX?NAME=VALUE&…. Each name is one of the options:
//
//	endpoint    http://HOST:PORT or https://HOST:PORT; without it AWS
//	region      of the bucket; without it AWS_REGION
//	path-style  true, false; without it true if there is an endpoint
//	profile     in ~/.aws/config, where credentials are looked for
//	checksum    crc64nvme (the default), crc32c, sha256, none
//	readonly    true: refuse to write
//	probe       false: trust the endpoint to honour conditions
//	part-size   of an upload in parts, and the largest single PUT: 8MiB
//	uploads     parts on their way at a time: 4
//	timeout     of one try: 15s
//	retry-for   how long a request is tried again: 30s
//
// What a URL cannot hold is written as %20 and so on. It holds no credentials.
func ParseURL(text string) (Options, error) {
	o, err := parseURL(text)
	if err == nil {
		_, err = o.withDefaults()
	}
	if err != nil {
		return Options{}, fmt.Errorf("%s: %w", redact(text), err)
	}
	return o, nil
}

func parseURL(text string) (Options, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return Options{}, fmt.Errorf("not a URL like s3://BUCKET/PREFIX")
	case u.Scheme != "s3" || u.Opaque != "" || u.Fragment != "":
		return Options{}, fmt.Errorf("not a URL like s3://BUCKET/PREFIX")
	case u.User != nil:
		return Options{}, fmt.Errorf("credentials do not belong in a URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile")
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Options{}, fmt.Errorf("the parameters: %w", err)
	}
	o := Options{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), PathStyle: values.Has("endpoint")}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parse, ok := parameters[name]
		if !ok {
			return Options{}, fmt.Errorf("there is no parameter %q; there are %s", name,
				strings.Join(slices.Sorted(maps.Keys(parameters)), ", "))
		}
		if len(values[name]) > 1 {
			return Options{}, fmt.Errorf("the parameter %s is there %d times", name, len(values[name]))
		}
		if err := parse(&o, values.Get(name)); err != nil {
			return Options{}, fmt.Errorf("the parameter %s: %w", name, err)
		}
	}
	return o, nil
}

// URL is what [ParseURL] makes these options of, but for credentials that they
// hold themselves.
func (o Options) URL() string {
	values := url.Values{}
	add := func(name, value string, isDefault bool) {
		if !isDefault {
			values.Set(name, value)
		}
	}
	add("endpoint", o.Endpoint, o.Endpoint == "")
	add("region", o.Region, o.Region == "")
	add("path-style", strconv.FormatBool(o.PathStyle), o.PathStyle == (o.Endpoint != ""))
	add("profile", o.Profile, o.Profile == "")
	add("checksum", string(o.Checksum), o.Checksum == "" || o.Checksum == CRC64NVME)
	add("readonly", "true", !o.ReadOnly)
	add("probe", "false", !o.NoProbe)
	add("part-size", strconv.FormatInt(o.PartSize, 10), o.PartSize == 0)
	add("uploads", strconv.Itoa(o.Uploads), o.Uploads == 0)
	add("timeout", o.TryTimeout.String(), o.TryTimeout == 0)
	add("retry-for", o.RetryFor.String(), o.RetryFor == 0)
	query := strings.NewReplacer("%3A", ":", "%2F", "/").Replace(values.Encode()) // as people write it
	u := url.URL{Scheme: "s3", Host: o.Bucket, Path: "/" + o.Prefix, RawQuery: query}
	if o.Prefix == "" {
		u.Path = ""
	}
	return u.String()
}
