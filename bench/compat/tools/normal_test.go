package main

import "testing"

// Names of 22 letters were taken for ids, and parts of a UUID too.
func TestNormalHidesIDsAndNotNames(t *testing.T) {
	o := options{bootstrap: "127.0.0.1:9092", prefix: "q1"}
	for in, want := range map[string]string{
		"one-8d0a3c2e-0f4b-4f3e-9a51-6d1c5a8a7b10 x":        "one-UUID x",
		"TopicId: 0KY9sGXiT4GbvOYM3CEbKQ Part":              "TopicId: ID Part",
		"errors.GroupNotEmptyException: The":                "errors.GroupNotEmptyException: The",
		"not support DESCRIBE_CLIENT_QUOTAS":                "not support DESCRIBE_CLIENT_QUOTAS",
		"the --reassignment-json-file option":               "the --reassignment-json-file option",
		"q1-a 127.0.0.1:9092  1\t2 ":                        "$P-a $B 1 2",
		"a\n\tat java.base/java.util.Foo.get(Foo.java:2)\n": "a",
		"at 1764070000000 2026-11-25 10:00:00.123":          "at TIME TIME",
	} {
		if got := normal(o, in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
