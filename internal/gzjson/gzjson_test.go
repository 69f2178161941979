package gzjson

import (
	"strings"
	"testing"
)

func TestRoundTripAndBound(t *testing.T) {
	want := strings.Repeat("x", 10_000)
	raw, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := Decode(raw, 20_000, &got); err != nil || got != want {
		t.Fatalf("decoded %d bytes, %v", len(got), err)
	}
	if err := Decode(raw, 5_000, &got); err == nil {
		t.Fatal("an object beyond the bound was taken")
	}
	if err := Decode(raw[:len(raw)-9], 20_000, &got); err == nil {
		t.Fatal("a cut object was taken")
	}
	if err := Decode([]byte("{}"), 20_000, &got); err == nil {
		t.Fatal("an object that is not gzipped was taken")
	}
}
