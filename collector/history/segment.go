package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/upid/upid/collector/coding"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/store"
)

// A segment is an immutable file with the points of all series over a range of
// the grid, series by series, so that one series can be read without the others:
//
//	magic line
//	columns, one a series: chunks, each its length (uvarint) and its bytes
//	index: frame of step, from, to and, by series, its labels, the length of its
//	       column and the CRC-32C of that
//	eight bytes: length of the index frame; four: CRC-32C of those eight
//
// A chunk is Prometheus' XOR chunk (Gorilla: Pelkonen et al., VLDB 2015), about
// 1.3 bytes a sample for counters in steps, 7 for full-precision rates.
const segmentMagic = "upid.history.1"

// chunkSamples is how many samples go into one chunk; an XOR chunk holds at most
// 65,535.
const chunkSamples = 1440

// segment is one file. What is in it is read when it is wanted.
type segment struct {
	path     string
	from, to int64       // grid times of its first and last point, inclusive
	keys     *store.Keys // that it is sealed with; nil: it is plain
}

// segmentName returns the name of the file with the points from one grid time to
// another.
func segmentName(from, to int64) string { return fmt.Sprintf("%d-%d%s", from, to, segmentSuffix) }

const segmentSuffix = ".seg"

// parseName reads the range off a segment's name.
func parseName(name string) (from, to int64, ok bool) {
	base, is := strings.CutSuffix(name, segmentSuffix)
	a, b, cut := strings.Cut(base, "-")
	from, err1 := strconv.ParseInt(a, 10, 64)
	to, err2 := strconv.ParseInt(b, 10, 64)
	return from, to, is && cut && err1 == nil && err2 == nil && from <= to && segmentName(from, to) == name
}

// damaged returns an error about a segment that is not what was written.
func damaged(path, format string, args ...any) error {
	return fmt.Errorf("history %s: %w: %s", path, store.ErrDamaged, fmt.Sprintf(format, args...))
}

// encoder packs the points of one series.
type encoder struct {
	chunk *chunkenc.XORChunk
	app   chunkenc.Appender
	done  []byte // finished chunks
}

// add appends a point; NaN is none. Times must rise.
func (e *encoder) add(t int64, v float64) {
	if math.IsNaN(v) {
		return
	}
	if e.chunk == nil || e.chunk.NumSamples() >= chunkSamples {
		e.cut()
		e.chunk = chunkenc.NewXORChunk()
		app, err := e.chunk.Appender()
		if err != nil {
			panic(err) // only a broken chunk has no appender; this one is new
		}
		e.app = app
	}
	e.app.Append(0, t, v)
}

func (e *encoder) cut() {
	if e.chunk == nil || e.chunk.NumSamples() == 0 {
		return
	}
	e.done = appendChunk(e.done, e.chunk)
	e.chunk, e.app = nil, nil
}

func appendChunk(b []byte, c *chunkenc.XORChunk) []byte {
	return coding.AppendBytes(b, c.Bytes())
}

// bytes returns the column of what was added so far.
func (e *encoder) bytes() []byte {
	if e.chunk == nil {
		return e.done
	}
	return appendChunk(slices.Clip(e.done), e.chunk)
}

// decode calls f for every point of a column.
func decode(b []byte, f func(t int64, v float64)) error {
	var it chunkenc.Iterator
	for len(b) > 0 {
		n, k := binary.Uvarint(b)
		if k <= 0 || n < 2 || n > uint64(len(b)-k) {
			return errors.New("chunk length")
		}
		c, err := chunkenc.FromData(chunkenc.EncXOR, b[k:k+int(n)])
		if err != nil {
			return err
		}
		it = c.Iterator(it)
		for it.Next() == chunkenc.ValFloat {
			f(it.At())
		}
		if err := it.Err(); err != nil {
			return err
		}
		b = b[k+int(n):]
	}
	return nil
}

// writeSegment writes what columns yields, the labels and the column of one
// series after the other, to a new file in dir, sealed if there are keys.
func writeSegment(dir string, keys *store.Keys, step, from, to int64, columns func(yield func(labels.Labels, []byte) error) error) (*segment, error) {
	s := &segment{path: filepath.Join(dir, segmentName(from, to)), from: from, to: to, keys: keys}
	// Not durable: what a loss of power takes is asked for again.
	return s, keys.WriteFile(s.path, false, func(w io.Writer) error {
		if _, err := io.WriteString(w, segmentMagic+"\n"); err != nil {
			return err
		}
		index := binary.AppendVarint(nil, step)
		index = binary.AppendVarint(index, from)
		index = binary.AppendVarint(index, to)
		err := columns(func(ls labels.Labels, b []byte) error {
			if len(b) == 0 {
				return nil
			}
			index = coding.AppendLabels(index, ls)
			index = binary.AppendUvarint(index, uint64(len(b)))
			index = binary.LittleEndian.AppendUint32(index, store.Checksum(b))
			_, err := w.Write(b)
			return err
		})
		if err != nil {
			return err
		}
		frame := store.AppendFrame(nil, index)
		tail := binary.LittleEndian.AppendUint64(nil, uint64(len(frame)))
		tail = binary.LittleEndian.AppendUint32(tail, store.Checksum(tail))
		_, err = w.Write(append(frame, tail...))
		return err
	})
}

// reader is an open segment.
type reader struct {
	f       io.ReaderAt
	path    string
	columns []column
	buf     []byte
}

// column says where the chunks of one series are.
type column struct {
	labels labels.Labels
	offset int64
	length uint32
	sum    uint32
}

const tailLen = 12

// open reads the index of a segment. The error is store.ErrDamaged if the file is
// not whole or not of this step.
func (s *segment) open(step int64) (_ *reader, err error) {
	f, err := s.keys.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	return s.index(f, f.Size, step)
}

// index reads the index of a segment of that size.
func (s *segment) index(f io.ReaderAt, size, step int64) (*reader, error) {
	head := make([]byte, len(segmentMagic)+1)
	if _, err := f.ReadAt(head, 0); err != nil || string(head) != segmentMagic+"\n" {
		if _, serr := store.NewFrameReader(bytes.NewReader(head), segmentMagic); err == nil && errors.Is(serr, store.ErrSchema) {
			return nil, fmt.Errorf("history %s: %w", s.path, serr)
		}
		return nil, damaged(s.path, "it does not begin with %q", segmentMagic)
	}
	tail := make([]byte, tailLen)
	if _, err := f.ReadAt(tail, max(0, size-tailLen)); err != nil {
		return nil, damaged(s.path, "it is cut short")
	}
	n := binary.LittleEndian.Uint64(tail)
	if store.Checksum(tail[:8]) != binary.LittleEndian.Uint32(tail[8:]) || n < 8 || n > uint64(max(0, size-tailLen-int64(len(head)))) {
		return nil, damaged(s.path, "the index is not where it should be")
	}
	frame := make([]byte, n)
	if _, err := f.ReadAt(frame, size-tailLen-int64(n)); err != nil {
		return nil, fmt.Errorf("history %s: %w", s.path, err)
	}
	index := frame[8:]
	if binary.LittleEndian.Uint32(frame) != uint32(len(index)) || binary.LittleEndian.Uint32(frame[4:]) != store.Checksum(index) {
		return nil, damaged(s.path, "the index has another checksum")
	}
	r := &reader{f: f, path: s.path}
	if err := r.parse(index, s, step, int64(len(head)), size-tailLen-int64(n)); err != nil {
		return nil, damaged(s.path, "%v", err)
	}
	return r, nil
}

// parse reads an index whose checksum is right; columns lie between first and end.
func (r *reader) parse(b []byte, s *segment, step, first, end int64) error {
	d := coding.NewReader(b)
	if got := d.Int(); got != step {
		return fmt.Errorf("step %d ms, want %d", got, step)
	}
	if from, to := d.Int(), d.Int(); from != s.from || to != s.to {
		return fmt.Errorf("it holds %d to %d, its name says otherwise", from, to)
	}
	at := first
	for d.Len() > 0 {
		c := column{labels: d.Labels(), offset: at, length: uint32(d.Uint()), sum: d.Uint32()}
		at += int64(c.length)
		r.columns = append(r.columns, c)
	}
	if d.Err() != nil {
		return d.Err()
	}
	if at != end {
		return errors.New("the index does not fit the file")
	}
	return nil
}

// read returns the bytes of a column, valid until the next call.
func (r *reader) read(c column) ([]byte, error) {
	r.buf = slices.Grow(r.buf[:0], int(c.length))[:c.length]
	if _, err := r.f.ReadAt(r.buf, c.offset); err != nil {
		return nil, fmt.Errorf("history %s: %w", r.path, err)
	}
	if store.Checksum(r.buf) != c.sum {
		return nil, damaged(r.path, "a series has another checksum")
	}
	return r.buf, nil
}

func (r *reader) close() {
	if f, ok := r.f.(io.Closer); ok {
		_ = f.Close() // it was only read
	}
}

// seriesColumns returns the columns of ss from grid time from to to.
func seriesColumns(ss []series.Series, from, to int64) func(yield func(labels.Labels, []byte) error) error {
	return func(yield func(labels.Labels, []byte) error) error {
		for _, y := range ss {
			var e encoder
			part := y.Slice(from, to+1)
			for i, v := range part.Values {
				e.add(part.At(i), v)
			}
			if err := yield(y.Labels, e.bytes()); err != nil {
				return err
			}
		}
		return nil
	}
}
