package table

import "fmt"

// ValueFormat says how queries read a topic's record values: the topic setting varve.value.format.
type ValueFormat uint8

// The formats.
const (
	// Raw reads values as bytes.
	Raw ValueFormat = iota
	// UTF8 reads values as text; bytes that are no UTF-8 become U+FFFD.
	UTF8
	// JSON reads values as text of DuckDB's type JSON, so that its operators work on them.
	JSON
)

var formatNames = [...]string{Raw: "raw", UTF8: "utf8", JSON: "json"}

// String is the setting's value.
func (f ValueFormat) String() string { return formatNames[f] }

// ParseValueFormat reads the setting's value; the empty string is Raw.
func ParseValueFormat(s string) (ValueFormat, error) {
	if s == "" {
		return Raw, nil
	}
	for f, name := range formatNames {
		if name == s {
			return ValueFormat(f), nil
		}
	}
	return Raw, fmt.Errorf("varve.value.format %q: want raw, utf8 or json", s)
}
