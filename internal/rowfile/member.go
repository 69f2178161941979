package rowfile

import "encoding/json"

// member returns the raw value of the first member called name of the valid JSON object, or nil.
func member(object []byte, name string) []byte {
	i := skipSpace(object, 1)
	for object[i] != '}' {
		end := skipValue(object, i)
		key := object[i:end]
		i = skipSpace(object, end) + 1 // ':'
		i = skipSpace(object, i)
		end = skipValue(object, i)
		if sameString(key, name) {
			return object[i:end]
		}
		i = skipSpace(object, end)
		if object[i] == ',' {
			i = skipSpace(object, i+1)
		}
	}
	return nil
}

func sameString(quoted []byte, s string) bool {
	if string(quoted[1:len(quoted)-1]) == s {
		return true
	}
	for _, c := range quoted {
		if c == '\\' {
			var got string
			return json.Unmarshal(quoted, &got) == nil && got == s
		}
	}
	return false
}

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// skipValue returns the end of the value that begins at i. The JSON is valid.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r', ':':
			return i
		}
		i++
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipNested(b []byte, i int) int {
	depth := 0
	for {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}
