package source

import "math"

// values reads an array of samples.
func (d *decoder) values() bool {
	if !d.expect('[') {
		return false
	}
	for first := true; d.more(first, ']'); first = false {
		if !d.sample() {
			return false
		}
	}
	return d.err == nil
}

// sample reads [seconds,"value"].
func (d *decoder) sample() bool {
	// Nearly all samples lie whole in the buffer and have no white space.
	if b := d.buf[d.pos:d.end]; len(b) > 64 && b[0] == '[' {
		if n, ms, v, ok := plainSample(b[:64]); ok {
			d.pos += n
			return d.emit(ms, v)
		}
	}
	return d.expect('[') && d.sampleTail()
}

// plainSample parses [seconds,"value"] without white space or escapes at the
// start of b and returns its length. ok is false for anything else.
func plainSample(b []byte) (n int, ms int64, v float64, ok bool) {
	comma := 1
	for comma < len(b) && (isDigit(b[comma]) || b[comma] == '.') {
		comma++
	}
	if comma+1 >= len(b) || b[comma] != ',' || b[comma+1] != '"' {
		return 0, 0, 0, false
	}
	from := comma + 2
	to := from
	for to < len(b) && b[to] != '"' {
		to++
	}
	if to+1 >= len(b) || b[to+1] != ']' {
		return 0, 0, 0, false
	}
	if ms, ok = parseSeconds(b[1:comma]); !ok {
		return 0, 0, 0, false
	}
	v, ok = parseSample(b[from:to])
	return to + 2, ms, v, ok
}

// sampleTail reads a sample whose bracket was read.
func (d *decoder) sampleTail() bool {
	n, ok := d.number()
	if !ok {
		return false
	}
	ms, ok := parseSeconds(n)
	if !ok {
		return d.fail("%s is not a time in seconds", quoteShort(n))
	}
	if !d.expect(',') {
		return false
	}
	v := math.NaN()
	switch c := d.peek(); c {
	case '"':
		b, _, ok := d.text(256)
		if !ok {
			return false
		}
		if v, ok = parseSample(b); !ok {
			return d.fail("value %s is not a number", quoteShort(b))
		}
	case 'n':
		if c, ok := d.word(); !ok || c != 'n' {
			return false
		}
		d.ans.nulls++
	default: // a bare number: not Prometheus, but clear
		b, ok := d.number()
		if !ok {
			return false
		}
		if v, ok = parseSample(b); !ok {
			return d.fail("value %s is not a number", quoteShort(b))
		}
	}
	return d.expect(']') && d.emit(ms, v)
}

func (d *decoder) emit(ms int64, v float64) bool {
	d.ans.samples++
	if d.lim.samples > 0 && d.ans.samples > d.lim.samples {
		return d.stop(errTooManySamples)
	}
	if err := d.out.point(ms, v); err != nil {
		return d.stop(err)
	}
	return true
}

// parseSample parses a sample value as Prometheus writes it: a decimal number,
// NaN, +Inf or -Inf.
func parseSample(b []byte) (float64, bool) {
	if v, ok := parseFloat(b); ok {
		return v, true
	}
	switch string(b) {
	case "NaN":
		return math.NaN(), true
	case "+Inf", "Inf":
		return math.Inf(1), true
	case "-Inf":
		return math.Inf(-1), true
	}
	return 0, false
}
