package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// A file of frames begins with a magic line, which names its kind and schema.
// Each frame is its length and its CRC-32C (four bytes each, little-endian) and
// its content; an empty frame ends the file, so that one cut at a frame's end is
// noticed too.

// ErrDamaged says that a file is not what was written.
var ErrDamaged = errors.New("damaged")

// ErrSchema says that a file is of another version of its schema: newer, or one
// that is not read any more. It is left alone.
var ErrSchema = errors.New("the file is of another version")

// maxFrame bounds what a length may claim.
const maxFrame = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of b.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// FrameWriter writes frames. Call Close at the end.
type FrameWriter struct{ w io.Writer }

// NewFrameWriter writes the magic line.
func NewFrameWriter(w io.Writer, magic string) (*FrameWriter, error) {
	if _, err := io.WriteString(w, magic+"\n"); err != nil {
		return nil, err
	}
	return &FrameWriter{w}, nil
}

// Write writes one frame, which must not be empty.
func (f *FrameWriter) Write(b []byte) error {
	if len(b) == 0 || len(b) > maxFrame {
		return fmt.Errorf("a frame of %d bytes, want 1 to %d", len(b), maxFrame)
	}
	_, err := f.w.Write(AppendFrame(nil, b))
	return err
}

// AppendFrame appends the frame of b to dst.
func AppendFrame(dst, b []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b)))
	dst = binary.LittleEndian.AppendUint32(dst, Checksum(b))
	return append(dst, b...)
}

// Close writes the frame that says that nothing is missing. It does not close
// the writer below.
func (f *FrameWriter) Close() error {
	_, err := f.w.Write(AppendFrame(nil, nil))
	return err
}

// FrameReader reads what FrameWriter wrote.
type FrameReader struct {
	r    io.Reader
	head [8]byte
	buf  []byte
	done bool
}

// NewFrameReader reads the magic line, the last part of which, after a dot, is
// the version. It returns ErrSchema for another version, ErrDamaged for anything
// else.
func NewFrameReader(r io.Reader, magic string) (*FrameReader, error) {
	b := make([]byte, len(magic)+1)
	_, err := io.ReadFull(r, b)
	kind := magic[:strings.LastIndexByte(magic, '.')+1]
	switch {
	case err == nil && string(b) == magic+"\n":
		return &FrameReader{r: r}, nil
	case err == nil && strings.HasPrefix(string(b), kind) && isNumber(strings.TrimSuffix(string(b[len(kind):]), "\n")):
		return nil, fmt.Errorf("%w: it begins with %q, want %q", ErrSchema, b, magic)
	}
	return nil, fmt.Errorf("%w: it does not begin with %q", ErrDamaged, magic)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Next returns the next frame, valid until the next call, io.EOF after the last,
// ErrDamaged if it was cut or changed, or goes on after its end.
func (f *FrameReader) Next() ([]byte, error) {
	if f.done {
		return nil, io.EOF
	}
	if _, err := io.ReadFull(f.r, f.head[:]); err != nil {
		return nil, fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	n, sum := binary.LittleEndian.Uint32(f.head[:]), binary.LittleEndian.Uint32(f.head[4:])
	if n > maxFrame {
		return nil, fmt.Errorf("%w: a frame of %d bytes", ErrDamaged, n)
	}
	if n == 0 {
		if sum != 0 {
			return nil, fmt.Errorf("%w: checksum", ErrDamaged)
		}
		if n, err := io.ReadFull(f.r, f.head[:1]); n > 0 || !errors.Is(err, io.EOF) {
			return nil, errors.Join(fmt.Errorf("%w: it goes on after its end", ErrDamaged), ignore(err, io.EOF))
		}
		f.done = true
		return nil, io.EOF
	}
	if cap(f.buf) < int(n) {
		// The length may be wrong: memory grows with what is really there.
		f.buf = make([]byte, 0, min(int(n), 1<<20))
	}
	f.buf = f.buf[:0]
	for len(f.buf) < int(n) {
		chunk := min(int(n)-len(f.buf), 1<<20)
		f.buf = append(f.buf, make([]byte, chunk)...)
		if _, err := io.ReadFull(f.r, f.buf[len(f.buf)-chunk:]); err != nil {
			return nil, fmt.Errorf("%w: it is cut short", ErrDamaged)
		}
	}
	if Checksum(f.buf) != sum {
		return nil, fmt.Errorf("%w: checksum", ErrDamaged)
	}
	return f.buf, nil
}
