package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Objects writes v as it is in JSON, indented, or in YAML: the same names in the
// same order. v is anything that has a JSON form. It panics if format is neither.
func Objects(w io.Writer, format Format, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	switch format { //nolint:exhaustive // the others are not for objects
	case JSON:
		_, err := w.Write(escapeControls(b.Bytes()))
		return err
	case YAML:
		dec := json.NewDecoder(&b)
		dec.UseNumber() // every digit as it was
		n, err := readNode(dec)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, n.yaml(""))
		return err
	}
	panic(fmt.Sprintf("output: %q is not a format for objects", format))
}

// node is a JSON value that keeps the order of its keys.
type node struct {
	scalar string // of a value that is not one of the two, or an empty one
	keys   []string
	items  []node // of an array, or of an object by keys
}

func readNode(dec *json.Decoder) (node, error) {
	tok, err := dec.Token()
	if err != nil {
		return node{}, err
	}
	open, block := tok.(json.Delim)
	if !block {
		return node{scalar: scalar(tok)}, nil
	}
	n := node{scalar: map[json.Delim]string{'{': "{}", '[': "[]"}[open]}
	for dec.More() {
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return node{}, err
			}
			n.keys = append(n.keys, plainKey(scalar(key)))
		}
		item, err := readNode(dec)
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, item)
	}
	_, err = dec.Token() // the closing one
	return n, err
}

var word = regexp.MustCompile(`^"([a-z_]{4,}|id)"$`)

// plainKey returns a quoted key without its quotes if it means the same: shorter
// words, such as no, YAML may take for something else.
func plainKey(quoted string) string {
	switch m := word.FindStringSubmatch(quoted); {
	case m == nil, m[1] == "true", m[1] == "false", m[1] == "null":
		return quoted
	default:
		return m[1]
	}
}

// scalar returns a token in JSON, which is YAML as well.
func scalar(tok json.Token) string {
	if s, ok := tok.(string); ok {
		return string(appendJSON(nil, s))
	}
	b, err := json.Marshal(tok)
	if err != nil {
		panic(err) // a token comes from JSON
	}
	if _, is := tok.(json.Number); is {
		b = pointedExponent(b)
	}
	return string(b)
}

// pointedExponent returns a JSON number as YAML 1.1 too takes it for one: with a point, and
// a sign in the exponent.
func pointedExponent(b []byte) []byte {
	b = pointed(b, 0)
	if e := bytes.IndexAny(b, "eE"); e >= 0 && b[e+1] != '+' && b[e+1] != '-' {
		b = slices.Insert(b, e+1, '+')
	}
	return b
}

// yaml returns the value: lines that begin with indent, or a scalar and the end
// of its line.
func (n node) yaml(indent string) string {
	if len(n.items) == 0 {
		return n.scalar + "\n"
	}
	var b strings.Builder
	for i, item := range n.items {
		text := item.yaml(indent + "  ")
		switch {
		case n.keys == nil: // the first line of the item follows the dash
			b.WriteString(indent + "- " + strings.TrimPrefix(text, indent+"  "))
		case len(item.items) == 0:
			b.WriteString(indent + n.keys[i] + ": " + text)
		default:
			b.WriteString(indent + n.keys[i] + ":\n" + text)
		}
	}
	return b.String()
}
