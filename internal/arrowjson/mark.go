package arrowjson

import "github.com/apache/arrow-go/v18/arrow"

const markKey, markValue = "varve.value.format", "json"

// Mark is the metadata of a utf8 field whose values are meant to be JSON. It is not Arrow's
// extension type arrow.json, which promises valid JSON: nobody has checked the values.
func Mark() arrow.Metadata {
	return arrow.NewMetadata([]string{markKey}, []string{markValue})
}

// Marked reports whether the field has the metadata of Mark.
func Marked(f arrow.Field) bool {
	v, ok := f.Metadata.GetValue(markKey)
	return ok && v == markValue
}
