package main

import (
	"regexp"
	"strings"
)

// changes make the same what differs between two runs on one broker, in this order.
var changes = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,:]?\d*Z?`), "TIME"},
	{regexp.MustCompile(`\b1[6-9]\d{11}\b`), "TIME"},
	{regexp.MustCompile(`,?file\.delete\.delay\.ms=\d+`), ""}, // bench/peers/kafka.sh sets it
	{regexp.MustCompile(`"log_dirs":\["/[^"]*"\]`), `"log_dirs":["DIR"]`},
	// Where in the tool an error came from, and hints that tools print whatever the broker is.
	{regexp.MustCompile(`(?m)^\s+at .*\n`), ""},
	{regexp.MustCompile(`(?m)^The consumer rebalance protocol \(KIP-848\) is production-ready.*\n`), ""},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(`(?m) +$`), ""},
}

var (
	uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	// id is what may be a topic id or a member id of the new protocol: 16 bytes in base64.
	id   = regexp.MustCompile(`\b[A-Za-z0-9_-]{22}(\b|$)`)
	name = regexp.MustCompile(`^([A-Z][a-z]+)+$|^[A-Z_]+$|^[a-z_-]+$`)
)

// hideID replaces a word unless it is a name.
func hideID(word string) string {
	if name.MatchString(word) {
		return word
	}
	return "ID"
}

// normal makes an output comparable.
func normal(o options, out string) string {
	out = strings.ReplaceAll(out, o.prefix, "$P")
	out = strings.ReplaceAll(out, o.bootstrap, "$B")
	out = uuid.ReplaceAllString(out, "UUID")
	out = id.ReplaceAllStringFunc(out, hideID)
	for _, c := range changes {
		out = c.from.ReplaceAllString(out, c.to)
	}
	return strings.Trim(out, "\n")
}
