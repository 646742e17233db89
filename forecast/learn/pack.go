package learn

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// floats and integers are in JSON a text: base64 of eight or four bytes each, little-endian,
// which is decoded thirty times as fast as numbers.
type (
	floats   []float64
	integers []int
)

// MarshalJSON implements json.Marshaler.
func (v floats) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

// UnmarshalJSON implements json.Unmarshaler. It refuses what is not finite.
func (v *floats) UnmarshalJSON(text []byte) error {
	b, err := unpack(text, 8)
	if err != nil {
		return err
	}
	*v = make(floats, len(b)/8)
	for i := range *v {
		x := math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("number %d is not finite", i)
		}
		(*v)[i] = x
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (v integers) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(int32(x))) //nolint:gosec // nodes and features are few
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *integers) UnmarshalJSON(text []byte) error {
	b, err := unpack(text, 4)
	if err != nil {
		return err
	}
	*v = make(integers, len(b)/4)
	for i := range *v {
		(*v)[i] = int(int32(binary.LittleEndian.Uint32(b[4*i:]))) //nolint:gosec // it was one
	}
	return nil
}

// unpack returns the bytes of a packed text of items of a size.
func unpack(text []byte, size int) ([]byte, error) {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, err
	}
	if len(b)%size != 0 {
		return nil, fmt.Errorf("%d bytes are no items of %d", len(b), size)
	}
	return b, nil
}
