package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Type is a setting's type by the number that DescribeConfigs gives it (KIP-569).
type Type int8

// The types in use.
const (
	Boolean Type = 1
	String  Type = 2
	Int     Type = 3
	Long    Type = 5
	Double  Type = 6
	List    Type = 7
)

var typeNames = map[Type]string{
	Boolean: "BOOLEAN", String: "STRING", Int: "INT", Long: "LONG", Double: "DOUBLE", List: "LIST",
}

// String is Kafka's name of the type.
func (t Type) String() string { return typeNames[t] }

// Setting describes one setting. It is immutable.
type Setting struct {
	Name    string
	Type    Type
	Default string
	// Doc says in a sentence or two what it means, with its unit.
	Doc string
	// AgentName is the agent's setting that is this topic setting's default; empty: there is none.
	AgentName string
	// Coarser are agent settings in larger units that count where AgentName's is not given, the
	// first that is given winning.
	Coarser []Coarser
	// ReadOnly settings are read at the agent's start and cannot be altered.
	ReadOnly bool
	// Hidden settings are shown only when they are given.
	Hidden bool
	// Unsupported, if not empty, is why no value but the default is accepted yet.
	Unsupported string

	check rule // of a well-typed value
}

// Coarser is an agent setting that says the same as another in a larger unit.
type Coarser struct {
	Name string
	Unit time.Duration
}

// Millis gives a value of the coarser setting in milliseconds; not positive ones, which mean never,
// stay as they are. It is false for what is not an INT.
func (c Coarser) Millis(value string) (string, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32)
	if err != nil {
		return "", false
	}
	if n > 0 {
		n *= c.Unit.Milliseconds()
	}
	return strconv.FormatInt(n, 10), true
}

// Validate checks one value: type, bounds, support. The error is a *Error.
func (s *Setting) Validate(value string) error {
	reason := s.checkType(value)
	if reason == "" && s.check.refuse != nil {
		reason = s.check.refuse(strings.TrimSpace(value))
	}
	if reason == "" && s.Unsupported != "" && s.canonical(value) != s.canonical(s.Default) {
		reason = s.Unsupported + "; only " + strconv.Quote(s.Default) + " is supported"
	}
	if reason != "" {
		return &Error{Name: s.Name, Value: value, Reason: reason}
	}
	return nil
}

func (s *Setting) checkType(value string) string {
	v := strings.TrimSpace(value)
	var err error
	switch s.Type {
	case Boolean:
		if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
			return "Expected value to be either true or false"
		}
	case Int:
		_, err = strconv.ParseInt(v, 10, 32)
	case Long:
		_, err = strconv.ParseInt(v, 10, 64)
	case Double:
		_, err = strconv.ParseFloat(v, 64)
	}
	if err != nil {
		return "Not a number of type " + s.Type.String()
	}
	return ""
}

// canonical is the form in which two values that mean the same are equal.
func (s *Setting) canonical(value string) string {
	v := strings.TrimSpace(value)
	switch s.Type {
	case Boolean:
		return strings.ToLower(v)
	case Double:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
	case List:
		return strings.Join(SplitList(v), ",")
	}
	return v
}

// SplitList splits a LIST value at commas, without blanks and without repetitions.
func SplitList(value string) []string {
	var out []string
	for _, item := range strings.Split(value, ",") {
		if item = strings.TrimSpace(item); item != "" && !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out
}

// Unit is what a number counts; empty: nothing but itself.
func (s *Setting) Unit() string {
	if s.Type != Int && s.Type != Long {
		return ""
	}
	for _, u := range []struct{ word, unit string }{
		{".hours", "hours"},
		{".minutes", "minutes"},
		{".ms", "ms"},
		{"metadata.max.bytes", "UTF-16 units"},
		{"bytes", "bytes"},
		{"messages", "records"},
		{"partitions", "partitions"},
		{"partition.size", "partitions"},
		{"connections", "connections"},
		{"threads", "threads"},
		{"max.size", "members"},
		{"level", "level"},
	} {
		if strings.Contains(s.Name, u.word) {
			return u.unit
		}
	}
	return ""
}

// Bound says which values are accepted, for people; empty: all of the type.
func (s *Setting) Bound() string { return s.check.bound }

// rule is a bound of values.
type rule struct {
	bound  string                    // for people
	refuse func(value string) string // "" or the reason to refuse
}

func atLeast(bound int64) rule {
	r := between(bound, math.MaxInt64)
	r.bound = fmt.Sprintf("at least %d", bound)
	return r
}

func between(low, high int64) rule {
	return rule{fmt.Sprintf("%d to %d", low, high), func(v string) string {
		n, err := strconv.ParseInt(v, 10, 64)
		switch {
		case err != nil:
			return "Not a number"
		case n < low:
			return fmt.Sprintf("Value must be at least %d", low)
		case n > high:
			return fmt.Sprintf("Value must be no more than %d", high)
		}
		return ""
	}}
}

// ratio is the bound of shares.
var ratio = rule{"0 to 1", func(v string) string {
	f, err := strconv.ParseFloat(v, 64)
	switch {
	case err != nil || math.IsNaN(f) || f < 0:
		return "Value must be at least 0"
	case f > 1:
		return "Value must be no more than 1"
	}
	return ""
}}

func oneOf(values ...string) rule {
	return rule{strings.Join(values, ", "), func(v string) string {
		if slices.Contains(values, v) {
			return ""
		}
		return "String must be one of: " + strings.Join(values, ", ")
	}}
}

func listOf(values ...string) rule {
	one := oneOf(values...)
	return rule{"any of " + one.bound, func(v string) string {
		for _, item := range SplitList(v) {
			if reason := one.refuse(item); reason != "" {
				return reason
			}
		}
		return ""
	}}
}

// someOf is listOf that does not take an empty list.
func someOf(values ...string) rule {
	list := listOf(values...)
	return rule{"some of " + strings.Join(values, ", "), func(v string) string {
		if len(SplitList(v)) == 0 {
			return "Configuration must not be empty"
		}
		return list.refuse(v)
	}}
}

// anyCase takes a value in lower case.
func anyCase(r rule) rule {
	return rule{r.bound, func(v string) string { return r.refuse(strings.ToLower(v)) }}
}

// gzipLevel is the bound of gzip's levels.
var gzipLevel = rule{"1 to 9, or -1", func(v string) string {
	if v == "-1" || between(1, 9).refuse(v) == "" {
		return ""
	}
	return "Value must be between 1 and 9 or equal to -1"
}}
