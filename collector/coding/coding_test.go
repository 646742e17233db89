package coding

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
)

// packed has one field of each kind.
func packed() []byte {
	b := binary.AppendVarint(nil, -7)
	b = binary.AppendUvarint(b, 300)
	b = binary.LittleEndian.AppendUint32(b, 0xdeadbeef)
	b = AppendFloat(b, math.Inf(-1))
	b = AppendFloats(b, []float64{1, math.Copysign(0, -1)})
	b = AppendFloats(b, nil)
	b = AppendText(b, "x\x00y")
	b = AppendBytes(b, []byte{1, 2})
	return AppendLabels(b, labels.FromStrings("__name__", "up", "job", "ä"))
}

// unpack reads them all and reports whether they are as packed.
func unpack(r *Reader) bool {
	ok := r.Int() == -7
	ok = r.Uint() == 300 && ok
	ok = r.Uint32() == 0xdeadbeef && ok
	ok = math.IsInf(r.Float(), -1) && ok
	fs := r.Floats()
	ok = len(fs) == 2 && fs[0] == 1 && math.Signbit(fs[1]) && ok
	ok = r.Floats() == nil && ok
	ok = r.Text() == "x\x00y" && ok
	ok = string(r.Bytes()) == "\x01\x02" && ok
	return labels.Equal(r.Labels(), labels.FromStrings("__name__", "up", "job", "ä")) && ok
}

func TestRoundTrip(t *testing.T) {
	r := NewReader(packed())
	if !unpack(r) || r.Err() != nil || r.Len() != 0 {
		t.Fatalf("err %v, %d bytes left", r.Err(), r.Len())
	}
}

func TestCutShort(t *testing.T) {
	b := packed()
	for n := range len(b) {
		r := NewReader(b[:n])
		unpack(r)
		if !errors.Is(r.Err(), ErrFields) || r.Len() != 0 {
			t.Fatalf("%d of %d bytes: %v, %d left", n, len(b), r.Err(), r.Len())
		}
	}
}

func TestLengthsAreNotTrusted(t *testing.T) {
	huge := binary.AppendUvarint(nil, math.MaxUint64)
	for name, read := range map[string]func(*Reader){
		"text": func(r *Reader) { r.Text() }, "bytes": func(r *Reader) { r.Bytes() },
		"floats": func(r *Reader) { r.Floats() }, "labels": func(r *Reader) { r.Labels() },
		"count": func(r *Reader) { r.Count(0) },
	} {
		r := NewReader(huge)
		if read(r); r.Err() == nil {
			t.Errorf("%s: a length beyond the end was believed", name)
		}
	}
}
