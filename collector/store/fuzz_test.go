package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

// FuzzDoors decodes any bytes as every kind of file: they are what was written, to the byte,
// or damaged, or of another version.
func FuzzDoors(f *testing.F) {
	for i, d := range doors() {
		b, err := os.ReadFile("testdata/golden." + d.name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(i)) //nolint:gosec // few
		f.Add(b[:len(b)-1], uint8(i))
		f.Add([]byte(d.magic+"\n"), uint8(i))
	}
	b, err := os.ReadFile("testdata/stages.0")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		var err error
		var again []byte // what writes the same content
		switch kind % 5 {
		case 0:
			var parts [][]byte
			if parts, err = DecodeVersion(bytes.NewReader(b)); err == nil {
				again, err = EncodeVersion(parts)
			}
		case 1:
			var s Stages
			err = decodeSmall(b, stagesMagic, &s, func(b []byte) error { return strict(b, &s) })
		case 2:
			var all map[string]Failures
			err = decodeSmall(b, failuresMagic, &all, nil)
		case 3:
			err = load(bytes.NewReader(b), checkpointKey, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
			if errors.Is(err, ErrOtherKey) {
				return
			}
		case 4:
			r := &Records{magic: recordsMagic("threats")}
			var records [][]byte
			if records, err = r.read(bytes.NewReader(b)); err == nil {
				var out bytes.Buffer
				w, werr := NewFrameWriter(&out, r.magic)
				for _, rec := range records {
					werr = errors.Join(werr, w.Write(rec))
				}
				if werr = errors.Join(werr, w.Close()); werr != nil {
					t.Fatal(werr)
				}
				again = out.Bytes()
			}
		}
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrSchema) {
			t.Errorf("%v", err)
		}
		if again != nil && !bytes.Equal(again, b) {
			t.Errorf("%q was read, which writes %q", b, again)
		}
	})
}
