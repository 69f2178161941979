package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/varve-log/varve/internal/objstore"
)

// verdict is what a failed attempt means.
type verdict struct {
	class error // a sentinel of objstore; nil if none fits
	retry bool
	hint  string // the next step, for people
}

// call is what judge must know about an attempt besides the store's answer.
type call struct {
	sent bool // its headers reached a connection
	cond objstore.Condition
}

// judge decides what a failed attempt means. It never looks at an error's text.
func judge(err error, f Failure, c call) verdict {
	switch {
	case f.Status == 0:
		return judgeSilence(err, c)
	case f.Status >= 500 && f.Status != http.StatusNotImplemented,
		f.Status == http.StatusRequestTimeout, f.Status == 499:
		return c.unsettled()
	}
	switch f.Code {
	case "NoSuchBucket":
		return verdict{class: objstore.ErrNotFound, hint: "create the bucket first"}
	case "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch",
		"ContentChecksumMismatch", "InvalidChecksum":
		return verdict{class: objstore.ErrChecksum}
	case "RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded":
		// 4xx by this point: refused before the object was touched
		return verdict{class: objstore.ErrUnavailable, retry: true}
	case "PreconditionFailed":
		return verdict{class: objstore.ErrConflict}
	case "ConditionalRequestConflict", "OperationAborted":
		return verdict{class: objstore.ErrUnavailable, retry: true}
	case "NoSuchUpload":
		return verdict{}
	}
	if f.Status < 300 { // an answer that broke off, or an error that a completion gave after its 200
		return c.unsettled()
	}
	return judgeStatus(f.Status, c)
}

func judgeStatus(status int, c call) verdict {
	switch status {
	case http.StatusNotFound:
		if c.cond.IfMatch != "" {
			return verdict{class: objstore.ErrConflict}
		}
		return verdict{class: objstore.ErrNotFound}
	case http.StatusPreconditionFailed:
		return verdict{class: objstore.ErrConflict}
	case http.StatusConflict, http.StatusTooManyRequests:
		return verdict{class: objstore.ErrUnavailable, retry: true}
	case http.StatusRequestedRangeNotSatisfiable:
		return verdict{class: objstore.ErrInvalidRange}
	case http.StatusUnauthorized, http.StatusForbidden:
		return verdict{
			class: objstore.ErrDenied,
			hint:  "check the credentials, what they may do in the bucket, and this machine's clock",
		}
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		return verdict{hint: "check the region and the endpoint in the store's URL"}
	}
	return verdict{}
}

// judgeSilence judges an attempt that got no answer.
func judgeSilence(err error, c call) verdict {
	if !c.sent {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return verdict{}
		}
		return verdict{
			class: objstore.ErrUnavailable, retry: true,
			hint: "check that the store runs and that the endpoint in its URL is right",
		}
	}
	return c.unsettled()
}

// unsettled is the verdict on a request that may have taken effect.
func (c call) unsettled() verdict {
	if !c.cond.Always() {
		return verdict{class: objstore.ErrUnknownOutcome}
	}
	return verdict{class: objstore.ErrUnavailable, retry: true}
}

// wrap gives the caller's error: operation and key, class, cause, next step.
func (v verdict) wrap(op, key string, err error) error {
	if v.class != nil {
		err = fmt.Errorf("%w: %w", v.class, err)
	}
	if v.hint != "" {
		return fmt.Errorf("%s %s: %w; %s", op, key, err, v.hint)
	}
	return fmt.Errorf("%s %s: %w", op, key, err)
}
