package group

import (
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"

	"github.com/varve-log/varve/kafka"
)

// regexProgramMax bounds the instructions of a compiled regular expression: what matching costs for each
// topic (V10).
const regexProgramMax = 10_000

// compile reads a regular expression of RE2, which has to match the whole name of a topic.
func compile(regex string) (*regexp.Regexp, error) {
	wrong := func(err error) error {
		return fmt.Errorf("%w: SubscribedTopicRegex `%s` is not a valid regular expression: %w",
			ErrInvalidRegex, regex, err)
	}
	if len(regex) > math.MaxInt16 {
		return nil, fmt.Errorf("%w: longer than a key may be", ErrInvalidRegex)
	}
	parsed, err := syntax.Parse(regex, syntax.Perl)
	if err != nil {
		return nil, wrong(err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, wrong(err)
	}
	if len(program.Inst) > regexProgramMax {
		return nil, fmt.Errorf("%w: it takes %d instructions, at most %d",
			ErrInvalidRegex, len(program.Inst), regexProgramMax)
	}
	x, err := regexp.Compile(`\A(?:` + regex + `)\z`)
	if err != nil {
		return nil, wrong(err)
	}
	return x, nil
}

// match holds regular expressions against the topics that exist: a new one at once, all of them when
// topics may have changed, but not more often than regexRefreshMin. It reports whether any now matches
// other topics. Kafka does this in the background, so that the first answer to a new expression comes
// before its topics; here the topics come with it.
func (g *consumerGroup) match(t *turn) bool {
	if len(g.byRegex) == 0 {
		return false
	}
	now := kafka.TimestampOf(t.now)
	version := g.m.topics.Image().Version()
	age := now.Time().Sub(g.matchAt.Time())
	all := g.matched != version && age > regexRefreshMin || age > g.m.cfg.Consumer.RegexRefresh
	changed := false
	for _, regex := range sortedKeys(g.byRegex) {
		before, known := g.regexes[regex]
		if known && !all {
			continue
		}
		r := resolved{topics: g.matching(regex), version: version, at: now}
		if known && slices.Equal(before.topics, r.topics) {
			continue
		}
		g.m.write(t, regexRecord(g.id, regex, r))
		changed = true
	}
	if all {
		g.matched, g.matchAt = version, now
	}
	return changed
}

// matching lists the topics that match, ascending.
func (g *consumerGroup) matching(regex string) []string {
	x, err := compile(regex)
	if err != nil {
		return nil // a log of another RE2
	}
	var names []string
	g.m.topics.Image().Each(func(topic Topic) {
		if x.MatchString(topic.Name) {
			names = append(names, topic.Name)
		}
	})
	slices.Sort(names)
	return names
}
