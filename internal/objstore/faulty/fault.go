package faulty

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

// Op names a method of objstore.Store.
type Op string

// The operations.
const (
	Put    Op = "put"
	Get    Op = "get"
	Head   Op = "head"
	List   Op = "list"
	Delete Op = "delete"
)

// Fault is a way in which a call fails.
type Fault string

// The faults, and the operations that can have them.
const (
	// None: no failure; with a Rule's Delay the call is only slow.
	None Fault = ""
	// Unavailable: the store answers 503 and does nothing. Any operation.
	Unavailable Fault = "unavailable"
	// Busy: 409 again and again, until retries are used up; nothing is done. Put.
	Busy Fault = "busy"
	// Conflict: 412 although the condition held; nothing is done. Conditional Put.
	Conflict Fault = "conflict"
	// ConflictAfterSuccess: the write lands, then a repeated request meets it and gets 412.
	// Conditional Put.
	ConflictAfterSuccess Fault = "conflict after success"
	// ResetBefore: the connection breaks before the store acted. Any operation.
	ResetBefore Fault = "reset before"
	// ResetAfter: the store acted, then the connection breaks. Any operation.
	ResetAfter Fault = "reset after"
	// Late: the caller hears of a broken connection, the write lands later (see Store.Land), with its
	// condition decided then. Put.
	Late Fault = "late"
	// Truncated: the body ends half way, with io.ErrUnexpectedEOF. Get.
	Truncated Fault = "truncated"
	// Corrupt: one bit of the body is flipped. Get.
	Corrupt Fault = "corrupt"
	// Stale: the listing is the one that the same request got first, without what came later. List.
	Stale Fault = "stale"
)

// Faults lists the faults an operation can have, in a fixed order. Corrupt is not among them, since
// no store does that quietly often enough to be survived by everyone; rules can ask for it.
func Faults(op Op, conditional bool) []Fault {
	switch {
	case op == Put && conditional:
		return []Fault{
			Unavailable, Busy, Conflict, ConflictAfterSuccess, ResetBefore, ResetAfter, Late,
		}
	case op == Put:
		return []Fault{Unavailable, Busy, ResetBefore, ResetAfter, Late}
	case op == Get:
		return []Fault{Unavailable, ResetBefore, Truncated}
	case op == List:
		return []Fault{Unavailable, ResetBefore, Stale}
	default:
		return []Fault{Unavailable, ResetBefore, ResetAfter}
	}
}

// Rule makes matching calls fail.
type Rule struct {
	Op     Op     // empty: any operation
	Prefix string // of the key, or of a List's prefix
	// Nth counts matching calls from 1; the rule strikes from the Nth on. 0 is 1.
	Nth int
	// Times is how often it strikes; 0 is once, negative is always.
	Times int
	Fault Fault
	// Delay is waited before anything else, or until the call's context ends.
	Delay time.Duration

	seen, struck int
}

// strike tells whether the rule applies to this call, and counts it.
func (r *Rule) strike(op Op, key string) bool {
	if r.Op != "" && r.Op != op || !strings.HasPrefix(key, r.Prefix) {
		return false
	}
	r.seen++
	if r.seen < r.Nth || r.Times >= 0 && r.struck >= max(1, r.Times) {
		return false
	}
	r.struck++
	return true
}

// Call is a recorded call, in the order in which calls began.
type Call struct {
	N     int // from 1
	Op    Op
	Key   string // or the prefix of a List
	Cond  objstore.Condition
	Fault Fault // that it had
}

// Error is what a faulted call returns; it wraps the sentinel that fits.
type Error struct {
	Call  Call
	Class error
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %v (injected: %s, call %d)",
		e.Call.Op, e.Call.Key, e.Class, e.Call.Fault, e.Call.N)
}

// Unwrap gives the class.
func (e *Error) Unwrap() error { return e.Class }

// fail gives the error of a faulted call.
func (c Call) fail() error {
	class := objstore.ErrUnavailable
	switch c.Fault {
	case Conflict, ConflictAfterSuccess:
		class = objstore.ErrConflict
	case ResetBefore, ResetAfter, Late, Unavailable:
		if !c.Cond.Always() { // a 503, too, may come from a gateway that has passed the write on
			class = objstore.ErrUnknownOutcome
		}
	case Busy, None, Truncated, Corrupt, Stale:
	}
	return &Error{Call: c, Class: class}
}

// IsInjected tells a fault of this package from a failure of the wrapped store.
func IsInjected(err error) bool {
	var e *Error
	return errors.As(err, &e)
}
