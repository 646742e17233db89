package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// FuzzDoors puts any bytes in the place of every kind of file: they are read, or refused with
// a reason and out of the way; what was made by another version or key stays.
func FuzzDoors(f *testing.F) {
	for i, d := range doors() {
		b, err := os.ReadFile("testdata/golden." + d.name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(i), false) //nolint:gosec // few
		f.Add(b[:len(b)-1], uint8(i), false)
		f.Add([]byte(d.magic+"\n"), uint8(i), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, kind uint8, sealed bool) {
		d := doors()[int(kind)%len(doors())]
		var k *Keys
		if sealed {
			k = keys(t, 1)
		}
		dir := t.TempDir()
		if d.name == "model" { // which is read if it is active
			d.mustSave(t, dir, k, "content")
		}
		path := filepath.Join(dir, d.path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
		_, err := d.load(dir, k)
		_, there := os.Lstat(path)
		switch {
		case spoiled(err) && !errors.Is(there, fs.ErrNotExist):
			t.Errorf("%s: it is damaged and still there: %v", d.name, err)
		case foreign(err) && there != nil:
			t.Errorf("%s: it is somebody else's and gone: %v", d.name, err)
		case err != nil && !errors.Is(err, ErrNoVersion) && Reason(err) == "io":
			t.Errorf("%s: %v has no reason", d.name, err)
		}
	})
}
