package source

import (
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
)

// answer is everything in the body of an API answer beside the samples.
type answer struct {
	status, errorType, message string
	resultType                 string
	warnings, infos            []string
	partial                    bool
	samples                    int64 // read
	nulls                      int64 // samples that were null
	histograms                 int64 // series with native histograms
	bytes                      int64 // of the body, decompressed
}

// matrix receives the result of an answer while it is read. The points of a
// series come before its labels, because the order of object keys is free.
type matrix interface {
	// point takes one sample. v is NaN for null.
	point(ms int64, v float64) error
	// series ends the series whose points were given since the last call. A
	// reason is given, one of the drop constants, if the series cannot be used.
	series(ls labels.Labels, reason string) error
}

// Reasons for leaving out a whole series.
const (
	dropLimit       = "limit"        // more series than allowed
	dropInvalid     = "invalid"      // a label without name, or one name twice
	dropDuplicate   = "duplicate"    // a label set that is there already
	dropLabelLength = "label_length" // too many labels, or too long ones
	dropUTF8        = "utf8"         // a label that is not UTF-8
)

// limits bounds what is decoded.
type limits struct {
	bytes                               int64
	samples                             int64
	labels, nameBytes, valueBytes, text int
}

var (
	errTooManySamples = errors.New("the answer has too many samples")
	errHistogram      = errors.New("the answer has native histograms where numbers are needed: use histogram_quantile(0.9, …), histogram_avg(…) or histogram_count(…)")
)

// decoder reads one API answer (query or query_range) as a stream.
type decoder struct {
	*scanner
	lim   limits
	out   matrix
	ans   answer
	names []byte // label names and values of one series, one after the other
	spans []int  // ends of names and values in names
	b     labels.ScratchBuilder
}

// decode reads one answer from r into out. The error says what is wrong with
// the body; an answer of status "error" is no error here.
func decode(r io.Reader, lim limits, out matrix) (answer, error) {
	d := newDecoder(r, lim, out)
	ok := d.document()
	d.ans.bytes = d.read
	if !ok {
		return d.ans, d.err
	}
	return d.ans, nil
}

func newDecoder(r io.Reader, lim limits, out matrix) *decoder {
	return &decoder{scanner: newScanner(r, lim.bytes), lim: lim, out: out, b: labels.NewScratchBuilder(16)}
}

// stop records an error of the receiver.
func (d *decoder) stop(err error) bool {
	if d.err == nil {
		d.err = err
	}
	return false
}

func (d *decoder) document() bool {
	if !d.expect('{') {
		return false
	}
	for first := true; d.more(first, '}'); first = false {
		key, ok := d.key()
		if !ok {
			return false
		}
		switch key {
		case "status":
			ok = d.textInto(&d.ans.status)
		case "errorType":
			ok = d.textInto(&d.ans.errorType)
		case "error":
			ok = d.textInto(&d.ans.message)
		case "warnings":
			ok = d.texts(&d.ans.warnings)
		case "infos":
			ok = d.texts(&d.ans.infos)
		case "isPartial":
			var c byte
			c, ok = d.word()
			d.ans.partial = d.ans.partial || c == 't'
		case "data":
			ok = d.data()
		default:
			ok = d.skip(0)
		}
		if !ok {
			return false
		}
	}
	return d.err == nil && d.atEnd()
}

// textInto reads a string, or null, or (VictoriaMetrics' errorType) a number.
func (d *decoder) textInto(dst *string) bool {
	if c := d.peek(); c != '"' {
		return d.skip(0)
	}
	b, _, ok := d.text(d.lim.text)
	*dst = strings.ToValidUTF8(string(b), "\uFFFD")
	return ok
}

// maxTexts bounds the warnings kept of one answer.
const maxTexts = 100

// texts reads an array of strings, or null.
func (d *decoder) texts(dst *[]string) bool {
	if d.peek() != '[' {
		return d.skip(0)
	}
	d.pos++
	for first := true; d.more(first, ']'); first = false {
		var t string
		if !d.textInto(&t) {
			return false
		}
		if len(*dst) < maxTexts {
			*dst = append(*dst, t)
		}
	}
	return d.err == nil
}

func (d *decoder) data() bool {
	if d.peek() != '{' {
		return d.skip(0) // null, beside status "error"
	}
	d.pos++
	for first := true; d.more(first, '}'); first = false {
		key, ok := d.key()
		if !ok {
			return false
		}
		switch key {
		case "resultType":
			ok = d.textInto(&d.ans.resultType)
		case "result":
			if d.ans.resultType == "string" { // of no use; the caller says so
				ok = d.skip(0)
			} else {
				ok = d.result()
			}
		default:
			ok = d.skip(0)
		}
		if !ok {
			return false
		}
	}
	return d.err == nil
}

// result reads a matrix or vector (an array of objects) or a scalar (time and
// value in an array).
func (d *decoder) result() bool {
	if d.peek() != '[' {
		return d.skip(0)
	}
	d.pos++
	if c := d.peek(); c == '-' || isDigit(c) {
		if !d.sampleTail() {
			return false
		}
		if err := d.out.series(labels.EmptyLabels(), ""); err != nil {
			return d.stop(err)
		}
		return true
	}
	for first := true; d.more(first, ']'); first = false {
		if !d.oneSeries() {
			return false
		}
	}
	return d.err == nil
}

func (d *decoder) oneSeries() bool {
	if !d.expect('{') {
		return false
	}
	ls, reason := labels.EmptyLabels(), ""
	for first := true; d.more(first, '}'); first = false {
		key, ok := d.key()
		if !ok {
			return false
		}
		switch key {
		case "metric":
			ls, reason, ok = d.metric()
		case "values":
			ok = d.values()
		case "value":
			ok = d.sample()
		case "histograms", "histogram":
			d.ans.histograms++
			ok = d.skip(0)
		default:
			ok = d.skip(0)
		}
		if !ok {
			return false
		}
	}
	if d.err != nil {
		return false
	}
	if err := d.out.series(ls, reason); err != nil {
		return d.stop(err)
	}
	return true
}

// metric reads a label set. The reason says why it cannot be used.
func (d *decoder) metric() (ls labels.Labels, reason string, ok bool) {
	if !d.expect('{') {
		return ls, "", false
	}
	d.names, d.spans = d.names[:0], d.spans[:0]
	for first := true; d.more(first, '}'); first = false {
		name, whole, ok := d.text(d.lim.nameBytes)
		if !ok {
			return ls, "", false
		}
		if !whole {
			reason = dropLabelLength
		}
		d.names = append(d.names, name...)
		d.spans = append(d.spans, len(d.names))
		if !d.expect(':') {
			return ls, "", false
		}
		value, whole, ok := d.text(d.lim.valueBytes)
		if !ok {
			return ls, "", false
		}
		if !whole {
			reason = dropLabelLength
		}
		d.names = append(d.names, value...)
		d.spans = append(d.spans, len(d.names))
		if len(d.spans) > 2*d.lim.labels {
			reason = dropLabelLength
			d.names, d.spans = d.names[:0], d.spans[:0] // its labels are of no use: hold no more of them
		}
	}
	if d.err != nil || reason != "" {
		return ls, reason, d.err == nil
	}
	if !utf8.Valid(d.names) {
		return ls, dropUTF8, true
	}
	// One string for the whole set: the builder copies it into the labels.
	all := string(d.names)
	d.b.Reset()
	from := 0
	for i := 0; i < len(d.spans); i += 2 {
		mid, to := d.spans[i], d.spans[i+1]
		if mid == from {
			return ls, dropInvalid, true
		}
		if to > mid { // an empty label is no label
			d.b.Add(all[from:mid], all[mid:to])
		}
		from = to
	}
	d.b.Sort()
	ls = d.b.Labels()
	if _, dup := ls.HasDuplicateLabelNames(); dup {
		return labels.EmptyLabels(), dropInvalid, true
	}
	return ls, "", true
}
