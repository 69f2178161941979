package settings

import "fmt"

// Error says which setting is not accepted and why.
type Error struct {
	Name   string
	Value  string
	Reason string
	// Sentence, if not empty, says all of it.
	Sentence string
	// Unknown: there is no setting of this name.
	Unknown bool
}

// Error is a sentence as Kafka words it.
func (e *Error) Error() string {
	if e.Sentence != "" {
		return e.Sentence
	}
	if e.Unknown {
		return fmt.Sprintf("Unknown config name: %s", e.Name)
	}
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", e.Value, e.Name, e.Reason)
}
