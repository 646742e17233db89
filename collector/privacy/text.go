package privacy

import (
	"regexp"
	"strconv"
	"strings"
)

// pair begins a label with its value in a text: name="…, name=~"…, {"name"="…, each
// perhaps within a quoted text, where quotes have a backslash.
var pair = regexp.MustCompile(`(?:([A-Za-z_][A-Za-z0-9_]*)|\\*"([^"\\]+)\\*")(\s*(?:=~|!~|!=|=)\s*)(\\*)"`)

// Text returns a text, such as an error of Prometheus, in which the values of labels are what
// Labels would leave of them: hashed, or an ellipsis if the label is dropped. Labels are
// found as they are written in PromQL: name="value". A value that does not end is hidden to
// the end of the text.
func (p *Policy) Text(s string) string {
	var b strings.Builder
	for {
		m := pair.FindStringSubmatchIndex(s)
		if m == nil {
			b.WriteString(s)
			return b.String()
		}
		name := ""
		if m[2] >= 0 {
			name = s[m[2]:m[3]]
		} else {
			name = s[m[4]:m[5]]
		}
		depth := m[9] - m[8] // backslashes before the quote
		begin := m[1]
		length, closed := quoted(s[begin:], depth)
		value := s[begin : begin+length]
		b.WriteString(s[:begin])
		switch p.Action(name) {
		case Keep:
			b.WriteString(value)
		case Drop:
			b.WriteString("…")
		default:
			b.WriteString(p.Hash(unquote(value, depth)))
		}
		if !closed {
			return b.String()
		}
		end := begin + length + depth + 1 // past the quote
		b.WriteString(s[begin+length : end])
		s = s[end:]
	}
}

// quoted returns the length of a value up to its closing quote, which has depth backslashes
// before it as its opening one: none, or one within another quoted text.
func quoted(s string, depth int) (length int, closed bool) {
	run := 0 // backslashes
	for i := range len(s) {
		switch s[i] {
		case '\\':
			run++
			continue
		case '"':
			if depth == 0 && run%2 == 0 || depth == 1 && run%4 == 1 {
				return i - depth, true
			}
		}
		run = 0
	}
	return len(s), false
}

// unquote undoes the escapes of a value; one that is not valid stays as it is written.
func unquote(value string, depth int) string {
	out := value
	for range depth + 1 {
		v, err := strconv.Unquote(`"` + out + `"`)
		if err != nil {
			return value
		}
		out = v
	}
	return out
}
