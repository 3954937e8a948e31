package product

import (
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// bucketPattern is a bucket and, behind it, where in the bucket.
var bucketPattern = regexp.MustCompile(`^s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()=-]+)*)/?$`)

// BucketFolder is the name of the product's bucket and the folder in it that is the
// product's, "" for a product that has none.
func (p *Product) BucketFolder() (bucket, folder string) {
	m := bucketPattern.FindStringSubmatch(p.Spec.Storage.Bucket)
	if m == nil {
		return "", ""
	}
	return m[1], path.Join(strings.Trim(m[2], "/"), p.Metadata.Name)
}

// bucketFields are the fields of Storage that say more about its bucket.
var bucketFields = []string{"endpoint", "region", "pathStyle", "secret", "cache"}

// ofBucket requires the field with each of bucketFields.
func ofBucket(field string) object {
	o := object{}
	for _, name := range bucketFields {
		o[name] = []string{field}
	}
	return o
}

// bucketOptions refuses what says more about a bucket where there is none.
func (c *checker) bucketOptions(s *Storage) {
	if s.Bucket != "" {
		return
	}
	for _, name := range bucketFields {
		if path := "spec.storage." + name; c.marks.has(path) {
			c.add(path, "add bucket: s3://NAME, or leave it out", "%s has no meaning without a bucket", name)
		}
	}
}

// bucket applies the rules of where segments live.
func (c *checker) bucket(s *Storage) {
	if s.Bucket == "" {
		return
	}
	m := bucketPattern.FindStringSubmatch(s.Bucket)
	if m == nil || slices.ContainsFunc(strings.Split(m[2], "/"), func(part string) bool { return part == "." || part == ".." }) {
		c.add("spec.storage.bucket", "write s3://bucket or s3://bucket/prefix", "bucket %q is not the URL of a bucket", shorten(s.Bucket))
	}
	c.bytes("spec.storage.cache", s.Cache)
	if !secretName.MatchString(s.Secret) {
		c.add("spec.storage.secret", "use lower case letters, digits, dashes and dots", "secret %q is not the name of a Kubernetes Secret", shorten(s.Secret))
	}
	if s.Endpoint == "" {
		return
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" {
		c.add("spec.storage.endpoint", "write https://host or https://host:port", "endpoint %q is not the URL of one", shorten(s.Endpoint))
		return
	}
	if !s.PathStyle && (net.ParseIP(u.Hostname()) != nil || !strings.Contains(u.Hostname(), ".")) {
		c.add("spec.storage.endpoint", "add pathStyle: true", "the bucket's name cannot stand before the host %s", u.Hostname())
	}
}

// secretName is the grammar of a Secret's name: a DNS subdomain.
var secretName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
