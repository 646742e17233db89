// Package coding packs the fields of what upid keeps on disk into bytes, and
// reads them back without trusting a length among them. Whole numbers are
// varints, floats eight bytes, little-endian; texts and label sets have their
// lengths before them. The checksum is the business of whoever writes the file.
package coding

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/prometheus/prometheus/model/labels"
)

// AppendFloat appends v, whatever its bits.
func AppendFloat(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

// AppendFloats appends the number of vs and each of them.
func AppendFloats(b []byte, vs []float64) []byte {
	b = binary.AppendUvarint(b, uint64(len(vs)))
	for _, v := range vs {
		b = AppendFloat(b, v)
	}
	return b
}

// AppendText appends s.
func AppendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// AppendBytes appends p with its length.
func AppendBytes(b, p []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p)))
	return append(b, p...)
}

// AppendLabels appends a label set: the number of labels, then name and value of
// each.
func AppendLabels(b []byte, ls labels.Labels) []byte {
	b = binary.AppendUvarint(b, uint64(ls.Len()))
	ls.Range(func(l labels.Label) {
		b = AppendText(b, l.Name)
		b = AppendText(b, l.Value)
	})
	return b
}

// ErrFields says that the bytes are not the fields that were asked for.
var ErrFields = errors.New("fields do not fit")

// Reader walks over packed fields. After the first that does not fit, Err is
// ErrFields, nothing is left and every field is zero.
type Reader struct {
	b   []byte
	err error
}

// NewReader returns a Reader of b, which it does not change.
func NewReader(b []byte) *Reader { return &Reader{b: b, err: nil} }

// Err returns ErrFields if a field did not fit.
func (r *Reader) Err() error { return r.err }

// Len returns how many bytes are left.
func (r *Reader) Len() int { return len(r.b) }

// Fail makes the reader one whose fields do not fit.
func (r *Reader) Fail() { r.b, r.err = nil, ErrFields }

// take returns the next n bytes, nil if there are fewer.
func (r *Reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.Fail()
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

// Int reads a signed varint.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Uint reads an unsigned varint.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Count reads a number of things of which each takes at least size bytes.
func (r *Reader) Count(size int) int {
	n := r.Uint()
	if n > uint64(len(r.b)/max(size, 1)) {
		r.Fail()
		return 0
	}
	return int(n)
}

// Uint32 reads four bytes, little-endian.
func (r *Reader) Uint32() uint32 {
	p := r.take(4)
	if p == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(p)
}

// Float reads a float.
func (r *Reader) Float() float64 {
	p := r.take(8)
	if p == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(p))
}

// Floats reads floats; nil if there are none.
func (r *Reader) Floats() []float64 {
	n := r.Count(8)
	if n == 0 {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = r.Float()
	}
	return out
}

// Text reads a text.
func (r *Reader) Text() string { return string(r.take(r.Uint())) }

// Bytes reads bytes with their length. They share memory with what is read.
func (r *Reader) Bytes() []byte { return r.take(r.Uint()) }

// Labels reads a label set.
func (r *Reader) Labels() labels.Labels {
	n := r.Count(2)
	b := labels.NewScratchBuilder(n)
	for range n {
		name, value := r.Text(), r.Text()
		b.Add(name, value)
	}
	if r.err != nil {
		return labels.EmptyLabels()
	}
	return b.Labels()
}
