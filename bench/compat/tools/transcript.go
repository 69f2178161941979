package main

import "strings"

const (
	promptMark = "$ "
	differMark = "% varve: "
)

// step is one command and what it prints.
type step struct {
	comment string // lines above the command
	command string
	kafka   string
	reason  string // why Varve may print something else; "" where it may not
	varve   string
}

// transcript is a file of testdata.
type transcript struct{ steps []step }

// parse reads a transcript. Outputs lose empty lines at their ends, as normal makes them.
func parse(text string) transcript {
	var t transcript
	var comment, body []string
	var s *step
	flush := func() {
		if s == nil {
			return
		}
		out := strings.Trim(strings.Join(body, "\n"), "\n")
		if s.reason != "" {
			s.varve = out
		} else {
			s.kafka = out
		}
		body = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, promptMark):
			flush()
			t.steps = append(t.steps, step{
				comment: strings.Join(comment, "\n"), command: strings.TrimPrefix(line, promptMark),
			})
			s, comment = &t.steps[len(t.steps)-1], nil
		case strings.HasPrefix(line, "# "):
			comment = append(comment, line)
		case s != nil && strings.HasPrefix(line, differMark):
			flush()
			s.reason = strings.TrimPrefix(line, differMark)
		default:
			body = append(body, line)
		}
	}
	flush()
	return t
}

// String is the text that parse reads.
func (t transcript) String() string {
	var b strings.Builder
	for _, s := range t.steps {
		if s.comment != "" {
			b.WriteString(s.comment + "\n")
		}
		b.WriteString(promptMark + s.command + "\n")
		if s.kafka != "" {
			b.WriteString(s.kafka + "\n")
		}
		if s.reason != "" {
			b.WriteString(differMark + s.reason + "\n")
			if s.varve != "" {
				b.WriteString(s.varve + "\n")
			}
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
