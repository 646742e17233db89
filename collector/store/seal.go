package store

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A sealed file is a magic line, the name of its key (8 bytes), a random salt (24 bytes)
// and chunks: AES-256-GCM of up to sealChunk bytes, each with its tag, under a key of the
// file's own: HKDF-SHA-256 of the key and the salt. The nonce of a chunk is its number (11
// bytes, big-endian) and a byte that is 1 in the last one; what comes before the first
// chunk, and what the file is called, is authenticated with each. So no nonce comes twice,
// however many files a key seals, and no chunk can be changed, left out, exchanged, or taken
// from another file, and a file cannot end early. (The construction is STREAM of Hoang,
// Reyhanitabar, Rogaway and Vizár, 2015.)

const (
	sealMagic = "upid.sealed.1\n"
	sealChunk = 64 << 10
	keyBytes  = 32
	keyName   = 8
	saltBytes = 24
	sealHead  = len(sealMagic) + keyName + saltBytes
	maxKeys   = 16
)

var (
	// ErrKey says that a file is sealed with a key that we do not have.
	ErrKey = errors.New("no key for it")
	// ErrPlain says that a file is not sealed although there is a key.
	ErrPlain = errors.New("it is not sealed")
)

// Keys are the keys of a data directory. The first seals; all of them open, so that a
// key is changed by putting a new one before the old. Nil Keys write and read plain
// files.
type Keys struct{ keys []sealKey }

type sealKey struct {
	name [keyName]byte // the first bytes of the SHA-256 of the key
	raw  []byte
}

// ReadKeys reads a key file: a key of 32 bytes in base64 a line, the one in use first;
// empty lines and lines that begin with # are skipped. A file that others can read, or
// its group write, is refused.
func ReadKeys(path string) (*Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > 1<<16 {
		return nil, fmt.Errorf("key file %s: want a regular file of a few lines", path)
	}
	if mode := info.Mode().Perm(); mode&0o037 != 0 {
		return nil, fmt.Errorf("key file %s: its mode is %04o, which is open to others; chmod 600 it", path, mode)
	}
	b, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	k, err := ParseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return k, nil
}

// ParseKeys reads the content of a key file. Its errors do not repeat what stands there.
func ParseKeys(b []byte) (*Keys, error) {
	k := &Keys{}
	seen := map[[keyName]byte]bool{}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keyBytes {
			return nil, fmt.Errorf("line %d is not 32 bytes in base64; make one with: head -c 32 /dev/urandom | base64", n)
		}
		if bytes.Count(raw, raw[:1]) == keyBytes {
			return nil, fmt.Errorf("line %d is one byte 32 times; make a random one with: head -c 32 /dev/urandom | base64", n)
		}
		key := newSealKey(raw)
		if seen[key.name] {
			return nil, fmt.Errorf("line %d repeats a key", n)
		}
		seen[key.name] = true
		k.keys = append(k.keys, key)
	}
	if len(k.keys) == 0 {
		return nil, errors.New("no key; make one with: head -c 32 /dev/urandom | base64")
	}
	if len(k.keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, want %d at most", len(k.keys), maxKeys)
	}
	return k, nil
}

func newSealKey(raw []byte) (key sealKey) {
	key.raw = raw
	sum := sha256.Sum256(raw)
	copy(key.name[:], sum[:])
	return key
}

// of returns the cipher of the file with that head.
func (k *sealKey) of(head []byte) (cipher.AEAD, error) {
	own, err := hkdf.Key(sha256.New, k.raw, head[sealHead-saltBytes:], sealMagic, keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Name says which key seals, "" without keys. It tells nothing about the key.
func (k *Keys) Name() string {
	if k == nil {
		return ""
	}
	return hex.EncodeToString(k.keys[0].name[:])
}

// Seal returns a writer of the content of a file called name, which passes it on to w
// sealed, or as it is without keys. Close writes what is left and must be called; it does
// not close w. name is what the content belongs to and must be the same for Unseal:
// a file put in the place of another does not open.
func (k *Keys) Seal(w io.Writer, name string) (io.WriteCloser, error) {
	if k == nil {
		return plainWriter{w}, nil
	}
	key := &k.keys[0]
	head := make([]byte, sealHead)
	copy(head[copy(head, sealMagic):], key.name[:])
	if _, err := rand.Read(head[sealHead-saltBytes:]); err != nil {
		return nil, err
	}
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	aead, err := key.of(head)
	if err != nil {
		return nil, err
	}
	s := &sealer{w: w, buf: make([]byte, 0, sealChunk)}
	s.start(aead, head, name)
	return s, nil
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

// chunks is where writing or reading is.
type chunks struct {
	aead  cipher.AEAD
	bound []byte // what every chunk is authenticated with
	nonce []byte
	n     uint32
}

func (c *chunks) start(aead cipher.AEAD, head []byte, name string) {
	c.aead = aead
	c.bound = append(bytes.Clone(head), name...)
	c.nonce = make([]byte, aead.NonceSize())
}

// nonceOf returns the nonce of chunk i, valid until the next call.
func (c *chunks) nonceOf(i uint32, last bool) []byte {
	n := len(c.nonce) - 1
	binary.BigEndian.PutUint32(c.nonce[n-4:], i)
	c.nonce[n] = 0
	if last {
		c.nonce[n] = 1
	}
	return c.nonce
}

// next returns the nonce of the next chunk.
func (c *chunks) next(last bool) ([]byte, error) {
	if c.n++; c.n == 0 {
		return nil, errors.New("too large to be sealed")
	}
	return c.nonceOf(c.n-1, last), nil
}

func errChanged() error {
	return fmt.Errorf("%w: it was changed, cut, or put in the place of another file", ErrDamaged)
}

type sealer struct {
	chunks
	w   io.Writer
	buf []byte
	out []byte
}

func (s *sealer) Write(b []byte) (n int, err error) {
	for n < len(b) {
		if len(s.buf) == sealChunk { // not the last: there is more
			if err := s.flush(false); err != nil {
				return n, err
			}
		}
		part := min(sealChunk-len(s.buf), len(b)-n)
		s.buf = append(s.buf, b[n:n+part]...)
		n += part
	}
	return n, nil
}

func (s *sealer) flush(last bool) error {
	nonce, err := s.next(last)
	if err != nil {
		return err
	}
	s.out = s.aead.Seal(s.out[:0], nonce, s.buf, s.bound)
	s.buf = s.buf[:0]
	_, err = s.w.Write(s.out)
	return err
}

func (s *sealer) Close() error { return s.flush(true) }

// Unseal returns a reader of what Seal was given. A file that was changed is
// ErrDamaged, at the latest at its end: what was read before that is authentic, but
// not complete. It is ErrKey if none of our keys sealed it, and ErrPlain if it is not
// sealed although we have keys: a plain file is what somebody without the key can write.
func (k *Keys) Unseal(r io.Reader, name string) (io.Reader, error) {
	b := bufio.NewReaderSize(r, sealChunk)
	head, err := b.Peek(sealHead)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	key, err := k.match(head)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return b, nil
	}
	aead, err := key.of(head)
	if err != nil {
		return nil, err
	}
	u := &unsealer{r: b, in: make([]byte, sealChunk+aead.Overhead())}
	u.start(aead, head, name)
	_, err = b.Discard(sealHead)
	return u, err
}

type unsealer struct {
	chunks
	r    *bufio.Reader
	in   []byte
	rest []byte // opened and not yet read
	err  error  // what follows it
}

func (u *unsealer) Read(b []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		u.rest, u.err = u.open()
	}
	n := copy(b, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// open returns the content of the next chunk, and what follows it: nil, io.EOF after
// the last, or ErrDamaged.
func (u *unsealer) open() ([]byte, error) {
	n, err := io.ReadFull(u.r, u.in)
	last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if err != nil && !last {
		return nil, err
	}
	if !last {
		_, err := u.r.Peek(1)
		if last = errors.Is(err, io.EOF); err != nil && !last {
			return nil, err
		}
	}
	nonce, err := u.next(last)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	content, err := u.aead.Open(u.in[:0], nonce, u.in[:n], u.bound)
	if err != nil {
		return nil, errChanged()
	}
	if last {
		return content, io.EOF
	}
	return content, nil
}
