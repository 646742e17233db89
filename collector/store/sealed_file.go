package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// boundName is the name a file's content is sealed under: its own and its directory's,
// so that the data directory may move and its files may not change places.
func boundName(path string) string {
	return filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
}

// WriteFile is WriteFile of content that is sealed if there are keys. A key is never
// left out: what cannot be sealed is not written.
func (k *Keys) WriteFile(path string, durable bool, write func(io.Writer) error) error {
	return WriteFile(path, durable, func(w io.Writer) error {
		s, err := k.Seal(w, boundName(path))
		if err != nil {
			return err
		}
		if err := write(s); err != nil {
			return err
		}
		return s.Close()
	})
}

// File is a file that Keys.WriteFile wrote, open for reading at any place.
type File struct {
	io.ReaderAt
	Size int64 // of the content
	f    *os.File
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Open opens a file that WriteFile of the same keys wrote. Errors are those of Open and
// of Unseal; a place that was changed is ErrDamaged when it is read.
func (k *Keys) Open(path string) (_ *File, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", path, errors.Join(err, f.Close()))
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	at, size, err := k.unsealAt(f, info.Size(), boundName(path))
	if err != nil {
		return nil, err
	}
	return &File{ReaderAt: at, Size: size, f: f}, nil
}

// unsealAt is Unseal for reading at any place of a file of so many bytes.
func (k *Keys) unsealAt(f io.ReaderAt, size int64, name string) (io.ReaderAt, int64, error) {
	head := make([]byte, min(size, int64(sealHead)))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	key, err := k.match(head)
	if err != nil {
		return nil, 0, err
	}
	if key == nil {
		return f, size, nil
	}
	aead, err := key.of(head)
	if err != nil {
		return nil, 0, err
	}
	overhead := int64(aead.Overhead())
	whole := sealChunk + overhead
	body := size - int64(sealHead)
	n := max(1, (body+whole-1)/whole)
	if body < overhead || body-(n-1)*whole < overhead {
		return nil, 0, fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	u := &unsealerAt{f: f, body: body, whole: whole, n: n, at: -1, in: make([]byte, whole)}
	u.start(aead, head, name)
	return u, body - n*overhead, nil
}

// match returns the key that sealed a file that begins with head, nil for a plain file
// where we have no keys.
func (k *Keys) match(head []byte) (*sealKey, error) {
	if !strings.HasPrefix(string(head), sealMagic) {
		kind := strings.TrimSuffix(sealMagic, "1\n")
		if rest, is := strings.CutPrefix(string(head), kind); is && len(head) >= len(sealMagic) && rest[1] == '\n' && isNumber(rest[:1]) {
			return nil, fmt.Errorf("%w: it begins with %q, want %q", ErrSchema, head[:len(sealMagic)], sealMagic)
		}
		if k == nil {
			return nil, nil
		}
		return nil, ErrPlain
	}
	if k == nil {
		return nil, fmt.Errorf("%w: it is sealed, and no key file is given (--storage.encryption-key-file)", ErrKey)
	}
	if len(head) < sealHead {
		return nil, fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	name := head[len(sealMagic) : len(sealMagic)+keyName]
	for i := range k.keys {
		if string(k.keys[i].name[:]) == string(name) {
			return &k.keys[i], nil
		}
	}
	return nil, fmt.Errorf("%w: it is sealed with key %x, which is not in the key file", ErrKey, name)
}

// unsealerAt opens the chunk it is asked for and keeps it, as the next read is likely
// to be near. It is not safe for concurrent use.
type unsealerAt struct {
	chunks
	f           io.ReaderAt
	body, whole int64 // bytes after the head, and of a whole chunk
	n           int64 // chunks
	at          int64 // the chunk that is open; -1 is none
	in, content []byte
}

// ReadAt implements io.ReaderAt.
func (u *unsealerAt) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("read before the start")
	}
	for n < len(b) {
		i := (off + int64(n)) / sealChunk
		if i >= u.n {
			return n, io.EOF
		}
		if err := u.load(i); err != nil {
			return n, err
		}
		from := off + int64(n) - i*sealChunk
		if from >= int64(len(u.content)) {
			return n, io.EOF
		}
		n += copy(b[n:], u.content[from:])
	}
	return n, nil
}

func (u *unsealerAt) load(i int64) error {
	if i == u.at {
		return nil
	}
	u.at = -1
	in := u.in[:min(u.whole, u.body-i*u.whole)]
	if _, err := u.f.ReadAt(in, int64(sealHead)+i*u.whole); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	content, err := u.aead.Open(in[:0], u.nonceOf(uint32(i), i == u.n-1), in, u.bound)
	if err != nil {
		return errChanged()
	}
	u.at, u.content = i, content
	return nil
}
