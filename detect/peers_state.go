package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// The encodings of Peers and of a Peer: the magic with its version, the step in ms, the fields,
// and a CRC-32C of all before it.
const (
	peersMagic = "upid.peers.2\n"
	peerMagic  = "upid.peer.1\n"
)

// StateVersion names the encodings of all that has a state here: one of another version cannot be loaded.
func StateVersion() string { return stateMagic + peersMagic + peerMagic }

func (p *Peers) walk(c *codec) {
	c.i64(&p.begin, math.MinInt64, math.MaxInt64)
	c.i64(&p.seen, 0, math.MaxInt64)
	c.f64(&p.spread, &p.lively, &p.apart, &p.level, &p.low, &p.high, &p.count)
	p.tail.walk(c)
}

func (m *Peer) walk(c *codec) {
	c.i64(&m.born, math.MinInt64, math.MaxInt64)
	c.i64(&m.last, math.MinInt64, math.MaxInt64)
	c.f64(&m.usual, &m.wide, &m.run)
}

// AppendState appends a versioned encoding of the whole state to b.
func (p *Peers) AppendState(b []byte) []byte {
	return wrap(b, peersMagic, p.o.Step.Milliseconds(), p.walk)
}

// LoadState replaces the state by one that AppendState encoded, with the same step. On
// error it is unchanged.
func (p *Peers) LoadState(b []byte) error {
	n := *p
	if err := unwrap(b, peersMagic, p.o.Step.Milliseconds(), n.walk); err != nil {
		return fmt.Errorf("load peers: %w", err)
	}
	*p = n
	return nil
}

// AppendState appends a versioned encoding of the whole state to b.
func (m *Peer) AppendState(b []byte) []byte { return wrap(b, peerMagic, 0, m.walk) }

// LoadState replaces the state by one that AppendState encoded. On error it is unchanged.
func (m *Peer) LoadState(b []byte) error {
	var n Peer
	if err := unwrap(b, peerMagic, 0, n.walk); err != nil {
		return fmt.Errorf("load peer: %w", err)
	}
	*m = n
	return nil
}

// wrap appends what walk writes between its magic and its checksum.
func wrap(b []byte, magic string, step int64, walk func(*codec)) []byte {
	start := len(b)
	c := codec{b: append(b, magic...), read: false, err: nil}
	c.u64(uint64(step))
	walk(&c)
	return binary.LittleEndian.AppendUint32(c.b, crc32.Checksum(c.b[start:], castagnoli))
}

// unwrap lets walk read what wrap wrote, to the last byte.
func unwrap(b []byte, magic string, step int64, walk func(*codec)) error {
	body := len(b) - stateTail
	if body < len(magic) || string(b[:len(magic)]) != magic {
		return errors.New("not a state of this version")
	}
	if binary.LittleEndian.Uint32(b[body:]) != crc32.Checksum(b[:body], castagnoli) {
		return errors.New("checksum mismatch")
	}
	c := codec{b: b[len(magic):body], read: true, err: nil}
	if had := int64(c.u64(0)); c.err == nil && had != step {
		return fmt.Errorf("made for a step of %d ms, want %d ms", had, step)
	}
	walk(&c)
	if c.err == nil && len(c.b) > 0 {
		c.fail("too long")
	}
	return c.err
}
