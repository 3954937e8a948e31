package objects

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"syscall"

	"github.com/minio/minio-go/v7"

	"github.com/meshctl/meshctl/internal/fault"
)

// wrongKeys are the codes of credentials that the endpoint does not take.
var wrongKeys = []string{"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "XAdminUserNotFound"}

// judge is what kind of fault an error of a request is, and what to do about it.
func judge(err error, bucket, endpoint string) (fault.Kind, string) {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return known.Kind, known.Hint
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Timeout, "check that the bucket's endpoint answers in time"
	case errors.Is(err, context.Canceled):
		return fault.Internal, ""
	case errors.Is(err, errMissing):
		return fault.NotFound, ""
	case full(err):
		return fault.Unavailable, "free space on the product's volume"
	}
	r := minio.ToErrorResponse(err)
	switch {
	case r.Code == "NoSuchBucket":
		return fault.NotFound, "create the bucket " + bucket + ", or correct spec.storage.bucket"
	case r.StatusCode == http.StatusPreconditionFailed, r.StatusCode == http.StatusConflict:
		return fault.Conflict, ""
	case slices.Contains(wrongKeys, r.Code):
		return fault.Denied, "check the access key and secret of the bucket: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the files of the Secret"
	case r.StatusCode == http.StatusForbidden, r.StatusCode == http.StatusUnauthorized:
		return fault.Denied, "let the bucket's credentials get, put, list and delete objects of " + bucket
	case r.Code == "AuthorizationHeaderMalformed", r.Code == "InvalidRegion", r.StatusCode == http.StatusMovedPermanently:
		return fault.Invalid, "correct spec.storage.region"
	case r.StatusCode == http.StatusNotFound:
		return fault.NotFound, "create the bucket " + bucket + ", or correct spec.storage"
	}
	return fault.Unavailable, "check that the bucket's endpoint " + endpoint + " can be reached from here"
}

// missing says that there is no such object.
func missing(err error) bool {
	code := minio.ToErrorResponse(err).Code
	return code == "NoSuchKey" || code == "NoSuchUpload"
}

// full says that it is this machine's disk that takes no more.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// cut is an error within an answer: then it is worth asking again. A request that got no
// answer has been made again by the client already.
type cut struct{ error }

func (c cut) Unwrap() error { return c.error }

// passing says whether the answer broke off, and not because this machine's disk is full.
func passing(err error) bool {
	var c cut
	return errors.As(err, &c) && !full(err)
}
