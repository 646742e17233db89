package output

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Format is a form of output.
type Format string

// The forms of output every command that prints data knows.
const (
	Table Format = "table"
	JSON  Format = "json"
	YAML  Format = "yaml"
	CSV   Format = "csv"
)

// Schema is the columns of records in one of the formats CSV, JSON and YAML. A
// CSV record is a line under a header; JSON and YAML are one array of flat
// objects with the same names. A missing value is an empty cell or null. It is
// safe for concurrent use.
type Schema struct {
	format  Format
	columns []string
	keys    []string // what stands before a cell
}

// NewSchema returns the schema of records with these columns. It panics if
// format is none of CSV, JSON and YAML.
func NewSchema(format Format, columns ...string) *Schema {
	s := &Schema{format: format, columns: columns, keys: make([]string, len(columns))}
	for i, c := range columns {
		first := i == 0
		switch format {
		case CSV:
			s.keys[i] = pick(first, "", ",")
		case JSON: // a record begins with the comma after the one before
			s.keys[i] = pick(first, ",\n  {", ",") + strconv.Quote(c) + ":"
		case YAML:
			s.keys[i] = pick(first, "- ", "  ") + c + ": "
		default:
			panic(fmt.Sprintf("output: %q is not a format for records", format))
		}
	}
	return s
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

// Rows returns an empty buffer of records that appends to b.
func (s *Schema) Rows(b []byte) *Rows {
	return &Rows{schema: s, b: b[:0], texts: make([]written, len(s.columns))}
}

// Rows collects records cell by cell, in the order of the columns. A Rows
// belongs to one goroutine.
type Rows struct {
	schema *Schema
	b      []byte
	column int

	texts []written // by column
}

// written is the newest Text of a column and its form: most texts repeat in every record.
type written struct {
	text string
	form []byte
}

// Bytes returns the records for Writer.Write. They are valid until the next
// record is begun.
func (r *Rows) Bytes() []byte { return r.b }

func (r *Rows) key() { r.b = append(r.b, r.schema.keys[r.column]...) }

// next ends a cell and, at the last column, the record.
func (r *Rows) next() {
	r.column++
	last := r.column == len(r.schema.columns)
	if last {
		r.column = 0
	}
	switch {
	case r.schema.format == YAML || last && r.schema.format == CSV:
		r.b = append(r.b, '\n')
	case last:
		r.b = append(r.b, '}')
	}
}

func (r *Rows) null() {
	if r.schema.format != CSV {
		r.b = append(r.b, "null"...)
	}
}

// Text appends a string. In JSON and YAML it is quoted, in CSV where needed.
func (r *Rows) Text(s string) {
	r.key()
	t := &r.texts[r.column]
	if s != t.text || t.form == nil {
		t.text = s
		if r.schema.format == CSV {
			t.form = appendCSV(t.form[:0], s)
		} else {
			t.form = appendJSON(t.form[:0], s)
		}
	}
	r.b = append(r.b, t.form...)
	r.next()
}

// TextOrNull appends a string, or a missing value if it is empty.
func (r *Rows) TextOrNull(s string) {
	if s != "" {
		r.Text(s)
		return
	}
	r.key()
	r.null()
	r.next()
}

// Number appends x as AppendNumber does, in YAML with a point before an exponent; NaN
// and ±Inf are missing values.
func (r *Rows) Number(x float64) {
	r.key()
	switch from := len(r.b); {
	case math.IsNaN(x) || math.IsInf(x, 0):
		r.null()
	default:
		r.b = AppendNumber(r.b, x)
		if r.schema.format == YAML {
			r.b = pointed(r.b, from)
		}
	}
	r.next()
}

// pointed puts ".0" before the exponent of the number that begins at b[from], if it has
// one and no point: YAML 1.1 takes 1e-07 for a text.
func pointed(b []byte, from int) []byte {
	number := b[from:]
	e := bytes.IndexAny(number, "eE")
	if e < 0 || bytes.IndexByte(number[:e], '.') >= 0 {
		return b
	}
	return slices.Insert(b, from+e, '.', '0')
}

// Int appends a whole number.
func (r *Rows) Int(n int) {
	r.key()
	r.b = strconv.AppendInt(r.b, int64(n), 10)
	r.next()
}

// Time appends the Unix time ms (milliseconds) in seconds.
func (r *Rows) Time(ms int64) {
	r.key()
	r.b = AppendTime(r.b, ms)
	r.next()
}

// appendCSV appends a cell as RFC 4180 wants it. Characters that a terminal may obey,
// which the names of other people's series can have, are escaped as in JSON: \u001b.
// Line feeds and tabs stay.
func appendCSV(b []byte, s string) []byte {
	if strings.IndexFunc(s, obeyed) >= 0 {
		var escaped strings.Builder
		for _, r := range s {
			if obeyed(r) {
				fmt.Fprintf(&escaped, "\\u%04x", r)
			} else {
				escaped.WriteRune(r)
			}
		}
		s = escaped.String()
	}
	if !strings.ContainsAny(s, "\",\n") && s == strings.TrimSpace(s) {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}

// obeyed reports whether a terminal may obey r rather than show it.
func obeyed(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// appendJSON appends s as a JSON string, which is a YAML string as well.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err) // a string always has a JSON form
			}
			return append(b, escapeControls(quoted)...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// escapeControls escapes what JSON allows in a string as it is, but YAML does not
// and a terminal may obey: DEL, the C1 control characters, those that turn the
// direction of writing, and non-characters.
func escapeControls(b []byte) []byte {
	special := func(r rune) bool {
		return r >= 0x7f && r <= 0x9f || r == 0xfffe || r == 0xffff || unicode.Is(unicode.Bidi_Control, r)
	}
	if bytes.IndexFunc(b, special) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for _, r := range string(b) {
		if special(r) {
			out = fmt.Appendf(out, "\\u%04x", r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// Writer writes the head, records and foot of one output. It is not safe for
// concurrent use.
type Writer struct {
	w       *bufio.Writer
	schema  *Schema
	written bool
}

// NewWriter returns a Writer and writes the CSV header, if that is the format.
// Errors of w are reported by Close.
func NewWriter(w io.Writer, s *Schema) *Writer {
	out := &Writer{w: bufio.NewWriterSize(w, 1<<16), schema: s}
	if s.format == CSV {
		out.w.WriteString(strings.Join(s.columns, ","))
		out.w.WriteByte('\n')
	}
	return out
}

// Write writes what Rows collected.
func (w *Writer) Write(rows []byte) error {
	if len(rows) == 0 {
		return nil
	}
	if w.schema.format == JSON && !w.written {
		w.w.WriteByte('[')
		rows = rows[1:] // no comma before the first record
	}
	w.written = true
	_, err := w.w.Write(rows)
	return err
}

// Close ends the output and returns the first error of the writer below.
func (w *Writer) Close() error {
	switch {
	case w.schema.format == JSON && w.written:
		w.w.WriteString("\n]\n")
	case w.schema.format != CSV && !w.written:
		w.w.WriteString("[]\n")
	}
	return w.w.Flush()
}
