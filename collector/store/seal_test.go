package store

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func keyLine(seed byte) string {
	raw := make([]byte, keyBytes)
	for i := range raw {
		raw[i] = seed + byte(i)
	}
	return base64.StdEncoding.EncodeToString(raw) + "\n"
}

func keys(t testing.TB, seeds ...byte) *Keys {
	t.Helper()
	var b strings.Builder
	for _, s := range seeds {
		b.WriteString(keyLine(s))
	}
	k, err := ParseKeys([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t testing.TB, k *Keys, name string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := k.Seal(&b, name)
	if err != nil {
		t.Fatal(err)
	}
	// In pieces of odd sizes, as writers write.
	for rest, n := content, 1; len(rest) > 0; n = n*3 + 1 {
		part := min(n, len(rest))
		if _, err := w.Write(rest[:part]); err != nil {
			t.Fatal(err)
		}
		rest = rest[part:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unseal(k *Keys, name string, b []byte) ([]byte, error) {
	r, err := k.Unseal(iotest.HalfReader(bytes.NewReader(b)), name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

func TestSeal(t *testing.T) {
	k := keys(t, 1)
	for _, n := range []int{0, 1, sealChunk - 1, sealChunk, sealChunk + 1, 3*sealChunk + 17} {
		want := pattern(n)
		sealed := seal(t, k, "a", want)
		if got, err := unseal(k, "a", sealed); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
		if n > 100 && bytes.Contains(sealed, want[50:82]) {
			t.Errorf("%d bytes: the content can be read", n)
		}
		if bytes.Equal(sealed, seal(t, k, "a", want)) {
			t.Errorf("%d bytes: sealed twice it is the same", n)
		}
	}
}

// TestSealedDamage flips a bit of every byte and cuts at every length, at chunks' ends
// too.
func TestSealedDamage(t *testing.T) {
	k := keys(t, 1)
	sealed := seal(t, k, "a", pattern(100))
	for i := range sealed {
		b := bytes.Clone(sealed)
		b[i] ^= 0x40
		_, err := unseal(k, "a", b)
		switch {
		case i < len(sealMagic):
			if !errors.Is(err, ErrPlain) && !errors.Is(err, ErrSchema) {
				t.Errorf("byte %d: %v", i, err)
			}
		case i < len(sealMagic)+keyName:
			if !errors.Is(err, ErrKey) {
				t.Errorf("byte %d: %v", i, err)
			}
		case !errors.Is(err, ErrDamaged):
			t.Errorf("byte %d: %v", i, err)
		}
		if _, err := unseal(k, "a", sealed[:i]); err == nil {
			t.Errorf("cut to %d bytes: no error", i)
		}
	}
	long := seal(t, k, "a", pattern(3*sealChunk))
	const whole = sealChunk + 16
	for _, n := range []int{sealHead, sealHead + whole, sealHead + 2*whole} {
		if _, err := unseal(k, "a", long[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut after a chunk, to %d bytes: %v", n, err)
		}
	}
	exchanged := bytes.Clone(long)
	copy(exchanged[sealHead:], long[sealHead+whole:sealHead+2*whole])
	copy(exchanged[sealHead+whole:], long[sealHead:sealHead+whole])
	if _, err := unseal(k, "a", exchanged); !errors.Is(err, ErrDamaged) {
		t.Errorf("chunks exchanged: %v", err)
	}
	if _, err := unseal(k, "b", sealed); !errors.Is(err, ErrDamaged) {
		t.Errorf("in the place of another file: %v", err)
	}
	if _, err := unseal(k, "a", append(bytes.Clone(sealed), 'x')); !errors.Is(err, ErrDamaged) {
		t.Errorf("longer: %v", err)
	}
	newer := bytes.Replace(sealed, []byte("sealed.1"), []byte("sealed.2"), 1)
	if _, err := unseal(k, "a", newer); !errors.Is(err, ErrSchema) {
		t.Errorf("newer: %v", err)
	}
}

func TestKeyRotation(t *testing.T) {
	older, newer, both := keys(t, 1), keys(t, 2), keys(t, 2, 1)
	sealed := seal(t, older, "a", pattern(10))
	if _, err := unseal(both, "a", sealed); err != nil {
		t.Errorf("with the new key before the old: %v", err)
	}
	_, err := unseal(newer, "a", sealed)
	if !errors.Is(err, ErrKey) || Reason(err) != "no_key" || !strings.Contains(err.Error(), older.Name()) {
		t.Errorf("with the new key only: %v", err)
	}
	if _, err := unseal(newer, "a", seal(t, both, "a", pattern(10))); err != nil {
		t.Errorf("it is not the first that seals: %v", err)
	}
	if _, err := unseal(nil, "a", sealed); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "--storage.encryption-key-file") {
		t.Errorf("without keys: %v", err)
	}
	if _, err := unseal(newer, "a", []byte("upid.checkpoint.1\n")); !errors.Is(err, ErrPlain) || Reason(err) != "not_sealed" {
		t.Errorf("plain although there are keys: %v", err)
	}
	if got, err := unseal(nil, "a", seal(t, nil, "a", []byte("plain"))); err != nil || string(got) != "plain" {
		t.Errorf("without keys %q, %v", got, err)
	}
}

func TestReadKeys(t *testing.T) {
	dir := t.TempDir()
	write := func(content string, mode os.FileMode) string {
		path := filepath.Join(dir, "key")
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if k, err := ReadKeys(write("# of 2026\n\n"+keyLine(9)+keyLine(1), 0o440)); err != nil || len(k.keys) != 2 || k.Name() != keys(t, 9).Name() {
		t.Errorf("%v, %v", k, err)
	}
	secret := strings.TrimSpace(keyLine(3))
	for _, c := range []struct {
		content string
		mode    os.FileMode
		want    string
	}{
		{"", 0o600, "no key"},
		{"# none\n", 0o600, "no key"},
		{secret[:20] + "\n", 0o600, "line 1 is not 32 bytes"},
		{keyLine(1) + "?" + secret, 0o600, "line 2 is not 32 bytes"},
		{base64.StdEncoding.EncodeToString(make([]byte, 32)), 0o600, "one byte 32 times"},
		{keyLine(3) + keyLine(3), 0o600, "line 2 repeats"},
		{keyLine(3), 0o644, "chmod 600"},
		{keyLine(3), 0o660, "chmod 600"},
	} {
		_, err := ReadKeys(write(c.content, c.mode))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, mode %04o: %v", c.content, c.mode, err)
		} else if strings.Contains(err.Error(), secret[:10]) {
			t.Errorf("the error tells the key: %v", err)
		}
	}
	if _, err := ReadKeys(dir); err == nil {
		t.Error("a directory is a key file")
	}
	if _, err := ReadKeys(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestSealedFile reads at any place what was written in one go.
func TestSealedFile(t *testing.T) {
	k := keys(t, 1)
	path := filepath.Join(t.TempDir(), "d", "a")
	for _, n := range []int{0, 1, sealChunk, sealChunk + 1, 2*sealChunk + 100} {
		want := pattern(n)
		if err := k.WriteFile(path, true, func(w io.Writer) error { _, err := w.Write(want); return err }); err != nil {
			t.Fatal(err)
		}
		f, err := k.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Size != int64(n) {
			t.Errorf("%d bytes: size %d", n, f.Size)
		}
		for _, at := range []int{0, 1, n / 2, sealChunk - 1, sealChunk, n - 1, n, n + 1} {
			for _, l := range []int{1, 10, sealChunk + 5} {
				if at < 0 {
					continue
				}
				got := make([]byte, l)
				m, err := f.ReadAt(got, int64(at))
				part := want[min(at, n):min(at+l, n)]
				if !bytes.Equal(got[:m], part) || (m < l) != errors.Is(err, io.EOF) || m == l && err != nil {
					t.Errorf("%d bytes, %d at %d: read %d, %v", n, l, at, m, err)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const whole = sealChunk + 16
	for _, n := range []int{sealHead, sealHead + 15, sealHead + 16, sealHead + whole, sealHead + 2*whole, sealHead + 2*whole + 10, len(b) - 1} {
		if err := os.WriteFile(path, b[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := k.Open(path)
		if err == nil {
			_, err = f.ReadAt(make([]byte, 1), max(0, f.Size-1))
			f.Close()
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	flipped := bytes.Clone(b)
	flipped[sealHead+whole+7] ^= 1
	if err := os.WriteFile(path, flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := k.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 10), 5); err != nil {
		t.Errorf("a chunk that was not changed: %v", err)
	}
	if _, err := f.ReadAt(make([]byte, 10), sealChunk); !errors.Is(err, ErrDamaged) {
		t.Errorf("one that was: %v", err)
	}
	other := filepath.Join(filepath.Dir(path), "b")
	if err := os.WriteFile(other, b, 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := k.Open(other)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrDamaged) {
		t.Errorf("under another name: %v", err)
	}
	if _, err := (*Keys)(nil).Open(path); !errors.Is(err, ErrKey) {
		t.Errorf("without keys: %v", err)
	}
	if err := os.WriteFile(path, []byte("upid.history.1 and so on"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(path); !errors.Is(err, ErrPlain) {
		t.Errorf("a plain one: %v", err)
	}
}

func FuzzUnseal(f *testing.F) {
	k := keys(f, 1)
	f.Add(seal(f, k, "a", pattern(40)))
	f.Add([]byte(sealMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unseal(k, "a", b)
		if err == nil && !bytes.Equal(got, pattern(40)) {
			t.Errorf("%d bytes without the key: %q", len(b), got)
		}
	})
}
