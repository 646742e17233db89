package collector

import (
	"bytes"
	"compress/flate"
	"hash/crc32"
)

// A gzip body is put together from pieces that were deflated on their own, each
// ending on a byte boundary and none looking back into another. So a segment is
// deflated once, however often it is scraped, and only the tail is new.

// flater deflates pieces.
type flater struct {
	w   *flate.Writer
	out bytes.Buffer
}

// newFlater returns a flater at the fastest level: labels repeat so much that
// the best one saves little more.
func newFlater() *flater {
	f := &flater{}
	f.w, _ = flate.NewWriter(&f.out, flate.BestSpeed) // errs only on a level that does not exist
	return f
}

// piece appends b, deflated, to dst. The last piece ends the stream.
func (f *flater) piece(dst, b []byte, last bool) []byte {
	f.out.Reset()
	f.w.Reset(&f.out)
	// Writes to a bytes.Buffer do not fail.
	_, _ = f.w.Write(b)
	if last {
		_ = f.w.Close()
	} else {
		_ = f.w.Flush()
	}
	return append(dst, f.out.Bytes()...)
}

// deflateHeads returns the heads of all families as pieces.
func (c *Collector) deflateHeads() [][]byte {
	f := c.flaters.Get().(*flater)
	defer c.flaters.Put(f)
	heads := make([][]byte, len(c.families))
	for i := range c.families {
		heads[i] = f.piece(nil, c.families[i].head, false)
	}
	return heads
}

// deflated returns family i of t as a piece.
func (c *Collector) deflated(t *text, i int) []byte {
	t.once.Do(func() {
		f := c.flaters.Get().(*flater)
		defer c.flaters.Put(f)
		t.zat = make([]int, 1, len(t.at))
		t.z = make([]byte, 0, len(t.b)/8)
		for k := range len(t.at) - 1 {
			if b := t.family(k); len(b) > 0 {
				t.z = f.piece(t.z, b, false)
			}
			t.zat = append(t.zat, len(t.z))
		}
	})
	return t.z[t.zat[i]:t.zat[i+1]]
}

// gzipHeader is that of RFC 1952: deflate, no name, no time, fastest, unknown
// system.
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255}

// body is an answer in pieces, plain or as one gzip stream.
type body struct {
	pieces [][]byte
	size   int
	crc    uint32 // of the plain bytes, if gzip
	plain  uint32 // their number, modulo 2³² as the trailer wants it
}

func (b *body) add(piece []byte) {
	if len(piece) > 0 {
		b.pieces = append(b.pieces, piece)
		b.size += len(piece)
	}
}

// sum takes plain bytes into the checksum of the trailer.
func (b *body) sum(plain []byte) {
	b.crc = crc32.Update(b.crc, crc32.IEEETable, plain)
	b.plain += uint32(len(plain))
}

// trailer returns the end of the gzip stream.
func (b *body) trailer() []byte {
	le := func(v uint32) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }
	return append(le(b.crc), le(b.plain)...)
}
