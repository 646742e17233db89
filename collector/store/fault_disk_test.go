package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// use puts another disk to use for a test.
func use(t *testing.T, d disk) {
	t.Helper()
	theDisk = d
	t.Cleanup(func() { theDisk = systemDisk{} })
}

// faultyDisk is the system's, of which the n-th call fails.
type faultyDisk struct {
	systemDisk
	n   int
	err error
}

// errShort writes half of what it should.
var errShort = errors.New("short write")

func (d *faultyDisk) fails() error {
	if d.n--; d.n == 0 {
		return d.err
	}
	return nil
}

func (d *faultyDisk) Mkdir(dir string) error {
	return cmpErr(d.fails(), func() error { return d.systemDisk.Mkdir(dir) })
}

func (d *faultyDisk) Rename(a, b string) error {
	return cmpErr(d.fails(), func() error { return d.systemDisk.Rename(a, b) })
}

func (d *faultyDisk) Link(a, b string) error {
	return cmpErr(d.fails(), func() error { return d.systemDisk.Link(a, b) })
}

func (d *faultyDisk) Remove(path string) error {
	return cmpErr(d.fails(), func() error { return d.systemDisk.Remove(path) })
}

func (d *faultyDisk) SyncDir(dir string) error {
	return cmpErr(d.fails(), func() error { return d.systemDisk.SyncDir(dir) })
}

func (d *faultyDisk) CreateTemp(dir, pattern string) (diskFile, error) {
	if err := d.fails(); err != nil {
		return nil, err
	}
	f, err := d.systemDisk.CreateTemp(dir, pattern)
	return &faultyFile{f, d}, err
}

func cmpErr(err error, do func() error) error {
	if err != nil {
		return err
	}
	return do()
}

type faultyFile struct {
	diskFile
	d *faultyDisk
}

func (f *faultyFile) Write(b []byte) (int, error) {
	if err := f.d.fails(); err != nil {
		if errors.Is(err, errShort) {
			n, werr := f.diskFile.Write(b[:len(b)/2])
			return n, errors.Join(err, werr, io.ErrShortWrite)
		}
		return 0, err
	}
	return f.diskFile.Write(b)
}
func (f *faultyFile) Sync() error { return cmpErr(f.d.fails(), f.diskFile.Sync) }
func (f *faultyFile) Close() error {
	err := f.d.fails()
	return errors.Join(err, f.diskFile.Close()) // the descriptor is gone, as with close(2)
}

// TestFault_D2: whichever call to the disk fails, and however, the old content is there or
// the new, the error has its reason, and the next save succeeds.
func TestFault_D2(t *testing.T) {
	reasons := map[error]string{syscall.EIO: "io", syscall.ENOSPC: "disk_full", syscall.EINTR: "io", errShort: "io"}
	eachDoor(t, func(t *testing.T, d door) {
		for fault, reason := range reasons {
			for n := 1; ; n++ {
				dir := t.TempDir()
				d.mustSave(t, dir, nil, "old")
				disk := &faultyDisk{n: n, err: fault}
				theDisk = disk
				err := d.save(dir, nil, half("new"))
				theDisk = systemDisk{}
				got := d.wantContent(t, dir, nil, fault.Error(), "old", half("new"))
				if disk.n > 0 { // it was not reached: all calls have had their turn
					if err != nil || got == "old" || n < 7 {
						t.Fatalf("without a fault, %d calls: %v", n, err)
					}
					break
				}
				if err == nil && got == "old" {
					t.Fatalf("%v at call %d: it is not told", fault, n)
				}
				if err != nil && (!errors.Is(err, fault) || Reason(err) != reason) {
					t.Fatalf("%v at call %d: %v (%s)", fault, n, err, Reason(err))
				}
				if err := RemoveTemporary(dir); err != nil || temporary(t, dir) > 0 {
					t.Fatal(err)
				}
				d.mustSave(t, dir, nil, "again")
				d.wantContent(t, dir, nil, "after a fault", "again")
			}
		}
	})
}

// powerDisk is the system's, and knows what a loss of power would leave of it: what was
// written and not synced is gone, and names that were not synced may be.
type powerDisk struct {
	systemDisk
	t     *testing.T
	dir   string
	check func(image string)

	files  map[string]*powerFile // by name
	synced map[string]*powerFile // by name, those whose name survives
	dirs   map[string]bool       // that were made: whether the name survives
	images int
}

type powerFile struct {
	diskFile
	d             *powerDisk
	content, kept []byte // written; of that, synced
}

// cut makes the images of a loss of power now and checks them.
func (d *powerDisk) cut() {
	d.t.Helper()
	for i, names := range []map[string]*powerFile{d.synced, d.files} { // without the names that were not synced, and with them
		image := filepath.Join(d.t.TempDir(), "image")
		for path, f := range names {
			if i == 0 && !d.durable(filepath.Dir(path)) {
				continue
			}
			rel, err := filepath.Rel(d.dir, path)
			if err == nil {
				err = errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(image, rel)), 0o700), os.WriteFile(filepath.Join(image, rel), f.kept, 0o600))
			}
			if err != nil {
				d.t.Fatal(err)
			}
		}
		theDisk = systemDisk{}
		d.check(image)
		theDisk = d
		d.images++
	}
}

// durable reports whether the name of a directory and of all above it survive.
func (d *powerDisk) durable(dir string) bool {
	for dir != d.dir {
		if known, made := d.dirs[dir]; made && !known {
			return false
		}
		dir = filepath.Dir(dir)
	}
	return true
}

func (d *powerDisk) Mkdir(dir string) error {
	err := d.systemDisk.Mkdir(dir)
	if err == nil {
		d.dirs[dir] = false
	}
	d.cut()
	return err
}

func (d *powerDisk) CreateTemp(dir, pattern string) (diskFile, error) {
	f, err := d.systemDisk.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	p := &powerFile{diskFile: f, d: d}
	d.files[f.Name()] = p
	d.cut()
	return p, nil
}

func (d *powerDisk) Rename(from, to string) error {
	err := d.systemDisk.Rename(from, to)
	if err == nil {
		d.files[to] = d.files[from]
		delete(d.files, from)
	}
	d.cut()
	return err
}

func (d *powerDisk) Link(from, to string) error {
	err := d.systemDisk.Link(from, to)
	if err == nil {
		d.files[to] = d.files[from]
	}
	d.cut()
	return err
}

func (d *powerDisk) Remove(path string) error {
	err := d.systemDisk.Remove(path)
	if err == nil {
		delete(d.files, path)
	}
	d.cut()
	return err
}

func (d *powerDisk) SyncDir(dir string) error {
	err := d.systemDisk.SyncDir(dir)
	for path := range d.synced {
		if filepath.Dir(path) == dir {
			delete(d.synced, path)
		}
	}
	for path, f := range d.files {
		if filepath.Dir(path) == dir {
			d.synced[path] = f
		}
	}
	for sub := range d.dirs {
		if filepath.Dir(sub) == dir {
			d.dirs[sub] = true
		}
	}
	d.cut()
	return err
}

func (f *powerFile) Write(b []byte) (int, error) {
	n, err := f.diskFile.Write(b)
	f.content = append(f.content, b[:n]...)
	f.d.cut()
	return n, err
}

func (f *powerFile) Sync() error {
	err := f.diskFile.Sync()
	f.kept = slices.Clone(f.content)
	f.d.cut()
	return err
}

// TestFault_D3: whenever the power goes, with or without the names that were not synced, the
// old content is there or the new, whole; what was acknowledged is there.
func TestFault_D3(t *testing.T) {
	eachDoor(t, func(t *testing.T, d door) {
		allowed := []string{""} // before the first save there is nothing
		d2 := &powerDisk{t: t, dir: t.TempDir(), files: map[string]*powerFile{}, synced: map[string]*powerFile{}, dirs: map[string]bool{}}
		d2.check = func(image string) {
			t.Helper()
			got, err := d.load(image, nil)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoVersion) && allowed[0] == "" {
				got, err = "", nil
			}
			if err != nil || !slices.Contains(allowed, got) {
				t.Fatalf("after %d images: %.20q, %v", d2.images, got, err)
			}
			if err := RemoveTemporary(image); err != nil {
				t.Fatal(err)
			}
		}
		use(t, d2)
		before := ""
		for _, content := range []string{"old", half("new"), "newest"} {
			allowed = []string{before, content}
			if err := d.save(d2.dir, nil, content); err != nil {
				t.Fatal(err)
			}
			allowed = []string{content} // it is acknowledged
			d2.cut()
			before = content
		}
		if d2.images < 40 {
			t.Errorf("only %d images", d2.images)
		}
	})
}

// TestFault_D6: a flipped bit anywhere, a cut at any length, and garbage are refused,
// plain and sealed, and put into quarantine; what then looks like another version or key is
// left alone.
func TestFault_D6(t *testing.T) {
	if testing.Short() {
		t.Skip()
	}
	eachDoor(t, func(t *testing.T, d door) {
		for _, k := range []*Keys{nil, keys(t, 1)} {
			dir := t.TempDir()
			d.mustSave(t, dir, k, "content")
			path := filepath.Join(dir, d.path)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			others := 0
			spoil := func(what string, b []byte) {
				t.Helper()
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				_ = os.Remove(filepath.Join(dir, d.quarantine)) // of the time before
				got, err := d.load(dir, k)
				if foreign(err) && what == "bit" {
					others++
					is := map[string]error{"other_version": ErrSchema, "no_key": ErrKey, "not_sealed": ErrPlain}[Reason(err)]
					d.wasRefused(t, dir, got, err, what, is, Reason(err), true)
					return
				}
				d.wasRefused(t, dir, got, err, what, ErrDamaged, "damaged", false)
			}
			for i := range whole {
				bits := []int{i % 8}
				if k == nil {
					bits = []int{0, 1, 2, 3, 4, 5, 6, 7}
				}
				for _, bit := range bits {
					b := slices.Clone(whole)
					b[i] ^= 1 << bit
					spoil("bit", b)
				}
			}
			for n := range whole {
				if k == nil || n > sealHead {
					spoil("cut", whole[:n])
				}
			}
			spoil("longer", append(slices.Clone(whole), 0))
			if k == nil {
				spoil("zeros", make([]byte, len(whole)))
			}
			if most := 8 + len(sealMagic); others == 0 || others > most { // the digit of the version; the key's name
				t.Errorf("%d flips look like another version or key, want 1 to %d", others, most)
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			d.wantContent(t, dir, k, "whole again", "content")
		}
	})
}
