package judge

import (
	"encoding/binary"
	"errors"
	"math"
)

// What is kept on disk is a fixed number of 64-bit numbers each, little-endian.

var errState = errors.New("judge: state of another length")

func appendNumbers(b []byte, vs ...float64) []byte {
	for _, v := range vs {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

func loadNumbers(b []byte, n int) ([]float64, []byte, error) {
	if len(b) < 8*n {
		return nil, nil, errState
	}
	vs := make([]float64, n)
	for i := range vs {
		vs[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return vs, b[8*n:], nil
}

// AppendState appends t to b.
func (t *Tally) AppendState(b []byte) []byte {
	return appendNumbers(b, float64(t.Judged), float64(t.at), t.weight, t.err, t.naive, t.bounded, t.inside)
}

// LoadState reads what AppendState wrote and returns the rest.
func (t *Tally) LoadState(b []byte) (rest []byte, err error) {
	v, rest, err := loadNumbers(b, 7)
	if err == nil {
		*t = Tally{Judged: int(v[0]), at: int64(v[1]), weight: v[2], err: v[3], naive: v[4], bounded: v[5], inside: v[6]}
	}
	return rest, err
}

// AppendState appends r to b.
func (r *Trial) AppendState(b []byte) []byte {
	return appendNumbers(b, float64(r.Judged), float64(r.Times), float64(r.at), r.sum, float64(r.n), r.err, r.base, r.mean, r.m2)
}

// LoadState reads what AppendState wrote and returns the rest.
func (r *Trial) LoadState(b []byte) (rest []byte, err error) {
	v, rest, err := loadNumbers(b, 9)
	if err == nil {
		*r = Trial{Judged: int(v[0]), Times: int(v[1]), at: int64(v[2]), sum: v[3], n: int(v[4]), err: v[5], base: v[6], mean: v[7], m2: v[8]}
	}
	return rest, err
}

// AppendState appends p to b.
func (p *Pending) AppendState(b []byte) []byte {
	return appendNumbers(b, float64(p.From), float64(p.To), float64(p.Horizon), float64(p.Point), float64(p.Naive),
		float64(p.Lower), float64(p.Upper), float64(p.Scale), float64(p.n), p.sum)
}

// LoadState reads what AppendState wrote and returns the rest.
func (p *Pending) LoadState(b []byte) (rest []byte, err error) {
	v, rest, err := loadNumbers(b, 10)
	if err == nil {
		*p = Pending{
			From: int64(v[0]), To: int64(v[1]), Horizon: int32(v[2]), Point: float32(v[3]), Naive: float32(v[4]),
			Lower: float32(v[5]), Upper: float32(v[6]), Scale: float32(v[7]), n: int32(v[8]), sum: v[9],
		}
	}
	return rest, err
}
