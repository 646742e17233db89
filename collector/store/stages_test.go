package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const typ = "resource_prediction"

func promote(t *testing.T, v *Versions, name, stage string, share float64) {
	t.Helper()
	if _, _, err := v.Change(typ, func(s Stages) (Stages, error) { return s.Promote(name, stage, share) }); err != nil {
		t.Fatalf("promote %s to %s: %v", name, stage, err)
	}
}

func stagesOf(t *testing.T, v *Versions) Stages {
	t.Helper()
	s, err := v.Stages(typ)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLifeOfVersions walks one through its stages and back.
func TestLifeOfVersions(t *testing.T) {
	v := NewVersions(t.TempDir(), nil)
	for range 4 {
		save(t, v, "model")
	}
	promote(t, v, "v1", "active", 0)
	promote(t, v, "v2", "shadow", 0)
	promote(t, v, "v2", "canary", 0.25)
	promote(t, v, "v3", "shadow", 0)
	if got, want := stagesOf(t, v), (Stages{Active: "v1", Canary: "v2", Share: 0.25, Shadow: "v3", Before: []string{}}); !same(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	promote(t, v, "v2", "active", 0)
	promote(t, v, "v3", "active", 0)
	s := stagesOf(t, v)
	if want := (Stages{Active: "v3", Before: []string{"v1", "v2"}}); !same(s, want) {
		t.Errorf("%+v, want %+v", s, want)
	}
	for name, stage := range map[string]string{"v3": "active", "v2": "", "v1": "", "": ""} {
		if got := s.Of(name); got != stage {
			t.Errorf("%q is %q, want %q", name, got, stage)
		}
	}
	there := func(name string) bool { return v.Has(typ, name) }
	back := func() (Stages, error) {
		_, after, err := v.Change(typ, func(s Stages) (Stages, error) { return s.Rollback(there) })
		return after, err
	}
	if s, err := back(); err != nil || s.Active != "v2" {
		t.Errorf("back: %+v, %v", s, err)
	}
	if err := v.Delete(typ, "v1"); err != nil {
		t.Fatal(err)
	}
	if s, err := back(); err == nil || s.Active != "v2" {
		t.Errorf("back to a version that is gone: %+v, %v", s, err)
	}
	for _, c := range []struct {
		name, stage string
		share       float64
	}{{"v2", "shadow", 0}, {"v2", "canary", 0.1}, {"v3", "canary", 0}, {"v3", "canary", 1}, {"v3", "ready", 0}} {
		if _, _, err := v.Change(typ, func(s Stages) (Stages, error) { return s.Promote(c.name, c.stage, c.share) }); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
	if err := v.Delete(typ, "v2"); err == nil || !strings.Contains(err.Error(), "is active") {
		t.Errorf("deleted the active version: %v", err)
	}
	if err := v.Delete(typ, "v4"); err != nil {
		t.Fatal(err)
	}
	if name := save(t, v, "model"); name != "v5" {
		t.Errorf("the number of a deleted version was used again: %s", name)
	}
}

func same(a, b Stages) bool {
	if len(a.Before) == 0 && len(b.Before) == 0 {
		a.Before, b.Before = nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// TestManyPromoters: none loses what another did.
func TestManyPromoters(t *testing.T) {
	dir := t.TempDir()
	v := NewVersions(dir, nil)
	for range 10 {
		save(t, v, "model")
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			own := NewVersions(dir, nil)
			if _, _, err := own.Change(typ, func(s Stages) (Stages, error) { return s.Promote(fmt.Sprint("v", i+1), "active", 0) }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s := stagesOf(t, v); len(s.Before) != 9 {
		t.Errorf("%+v", s)
	}
}

// TestFault_D6_stages, _D9, _D11: what is damaged, exposed or sealed with another key is
// refused with its reason, and no version answers instead.
func TestFault_D6_stages(t *testing.T) {
	for _, content := range []string{"", "{", `{"active":"v1"} `, `{"active":"../v1"}`, `{"active":"v1","canary":"v2"}`, `{"active":"v1","unknown":1}`, "\x00\x01"} {
		dir := t.TempDir()
		v := NewVersions(dir, nil)
		save(t, v, "model")
		promote(t, v, "v1", "active", 0)
		path := filepath.Join(dir, ModelsDir, typ, "stages")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := v.Stages(typ)
		if content == `{"active":"v1"} ` {
			if err != nil || s.Active != "v1" {
				t.Errorf("%q: %v", content, err)
			}
			continue
		}
		if !errors.Is(err, ErrDamaged) || Reason(err) != "damaged" || s.Active != "" {
			t.Errorf("%q: %+v, %v", content, s, err)
		}
		if _, err := os.Stat(filepath.Join(dir, ModelsDir, "quarantine", typ+"-stages")); err != nil {
			t.Errorf("%q: %v", content, err)
		}
		promote(t, v, "v1", "active", 0)
	}
}

// TestFault_D9: what others could have written is refused and put aside, with what to do.
func TestFault_D9(t *testing.T) {
	for name, put := range map[string]struct {
		spoil  func(path string) error
		is     error
		reason string
	}{
		"0644":         {func(p string) error { return os.Chmod(p, 0o644) }, ErrExposed, "exposed"},
		"0620":         {func(p string) error { return os.Chmod(p, 0o620) }, ErrExposed, "exposed"},
		"another user": {func(p string) error { return os.Chown(p, 12345, -1) }, ErrExposed, "exposed"},
		"link": {func(p string) error {
			return errors.Join(os.Rename(p, p+".else"), os.Symlink(p+".else", p))
		}, ErrDamaged, "damaged"},
		"pipe":      {func(p string) error { return errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o600)) }, ErrDamaged, "damaged"},
		"directory": {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, ErrDamaged, "damaged"},
	} {
		if name == "another user" && os.Geteuid() != 0 {
			continue // only root can give a file away
		}
		dir := t.TempDir()
		v := NewVersions(dir, nil)
		save(t, v, "model")
		path := filepath.Join(dir, ModelsDir, typ, "v1.model")
		if err := put.spoil(path); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Check(typ, "v1"); !errors.Is(err, put.is) || Reason(err) != put.reason {
			t.Errorf("%s, checked: %v", name, err)
		}
		_, err := v.Load(typ, "v1")
		if !errors.Is(err, put.is) || Reason(err) != put.reason {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(put.is, ErrExposed) && !strings.Contains(err.Error(), "If you trust it") {
			t.Errorf("%s: it does not say what to do: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, ModelsDir, "quarantine", typ+"-v1.model")); err != nil {
			t.Errorf("%s: not in quarantine: %v", name, err)
		}
	}
}

// TestFault_D11: without the key, or with another, sealed models are refused and left
// alone; an older key of the file still opens them; nothing is written plain.
func TestFault_D11(t *testing.T) {
	dir := t.TempDir()
	sealed := NewVersions(dir, keys(t, 1))
	save(t, sealed, "a secret of the model")
	promote(t, sealed, "v1", "active", 0)
	for _, name := range []string{"v1.model", "stages"} {
		if b, err := os.ReadFile(filepath.Join(dir, ModelsDir, typ, name)); err != nil || !strings.HasPrefix(string(b), "upid.sealed.1\n") || strings.Contains(string(b), "secret") || strings.Contains(string(b), "v1") {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	for what, v := range map[string]*Versions{"no key": NewVersions(dir, nil), "another key": NewVersions(dir, keys(t, 2))} {
		if _, err := v.Load(typ, "v1"); !errors.Is(err, ErrKey) || Reason(err) != "no_key" {
			t.Errorf("%s: %v", what, err)
		}
		if s, err := v.Stages(typ); !errors.Is(err, ErrKey) || s.Active != "" {
			t.Errorf("%s: %+v, %v", what, s, err)
		}
	}
	rotated := NewVersions(dir, keys(t, 2, 1))
	if parts, err := rotated.Load(typ, "v1"); err != nil || string(parts[0]) != "a secret of the model" {
		t.Errorf("an older key: %q, %v", parts, err)
	}
	save(t, rotated, "model")
	if _, err := NewVersions(dir, keys(t, 2)).Load(typ, "v2"); err != nil {
		t.Errorf("the new key seals: %v", err)
	}
	plain := t.TempDir()
	save(t, NewVersions(plain, nil), "model")
	if _, err := NewVersions(plain, keys(t, 1)).Load(typ, "v1"); !errors.Is(err, ErrPlain) {
		t.Errorf("a plain one where there is a key: %v", err)
	}
	// A version put in the place of another is not taken for it.
	b, err := os.ReadFile(filepath.Join(dir, ModelsDir, typ, "v1.model"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, ModelsDir, typ, "v2.model"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rotated.Load(typ, "v2"); !errors.Is(err, ErrDamaged) {
		t.Errorf("one in the place of another: %v", err)
	}
}

// TestFault_D12: thousands of versions cost a listing and no file descriptors. UPID_MODELS
// says how many.
func TestFault_D12(t *testing.T) {
	dir := t.TempDir()
	v := NewVersions(dir, nil)
	save(t, v, "model")
	b, err := os.ReadFile(filepath.Join(dir, ModelsDir, typ, "v1.model"))
	if err != nil {
		t.Fatal(err)
	}
	n := 5000
	if s := os.Getenv("UPID_MODELS"); s != "" {
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	for i := 2; i <= n; i++ {
		if err := os.WriteFile(filepath.Join(dir, ModelsDir, typ, fmt.Sprintf("v%d.model", i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := descriptors(t)
	names, err := v.List(typ)
	if err != nil || len(names) != n || names[n-1] != fmt.Sprint("v", n) {
		t.Fatalf("%d names, %v", len(names), err)
	}
	if name := save(t, v, "model"); name != fmt.Sprint("v", n+1) {
		t.Errorf("saved as %s", name)
	}
	if _, err := v.Load(typ, names[n/2]); err != nil {
		t.Error(err)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// TestFault_D14: a directory that goes away is made anew with its mode.
func TestFault_D14(t *testing.T) {
	dir := t.TempDir()
	v := NewVersions(dir, nil)
	save(t, v, "model")
	promote(t, v, "v1", "active", 0)
	if err := os.RemoveAll(filepath.Join(dir, ModelsDir)); err != nil {
		t.Fatal(err)
	}
	if s, err := v.Stages(typ); err != nil || s.Active != "" {
		t.Errorf("%+v, %v", s, err)
	}
	if name := save(t, v, "model"); name != "v1" {
		t.Errorf("saved as %s", name)
	}
	if info, err := os.Stat(filepath.Join(dir, ModelsDir, typ)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	promote(t, v, "v1", "active", 0)
}

// TestNumbersOfLostVersions: the number of a damaged version is not used again, whatever
// stage it was in.
func TestNumbersOfLostVersions(t *testing.T) {
	dir := t.TempDir()
	v := NewVersions(dir, nil)
	for range 3 {
		save(t, v, "model")
	}
	promote(t, v, "v1", "active", 0)
	promote(t, v, "v3", "active", 0)
	for _, name := range []string{"v3", "v2"} {
		if err := os.WriteFile(filepath.Join(dir, ModelsDir, typ, name+".model"), []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Load(typ, name); !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
	}
	if name := save(t, v, "model"); name != "v4" {
		t.Errorf("saved as %s", name)
	}
	if s := stagesOf(t, v); s.Of("v4") != "" || s.Active != "v3" {
		t.Errorf("%+v", s)
	}
	if _, err := v.Load(typ, "v3"); !errors.Is(err, ErrNoVersion) {
		t.Errorf("the active version is lost, which is said: %v", err)
	}
}

// TestStagesDemoted: a demotion is of one target of one version, kept through promotions, and
// gone with the version.
func TestStagesDemoted(t *testing.T) {
	s := Stages{Active: "v1"}
	d := Demotion{Version: "v1", Target: "cpu", At: 5, Why: "worse"}
	s = s.Demote(d).Demote(Demotion{Version: "v2", Target: "cpu", At: 6, Why: "worse"})
	if again := s.Demote(d); len(again.Demoted) != 2 || len(s.Demoted) != 2 {
		t.Errorf("%+v", again)
	}
	after, err := s.Promote("v2", "active", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := after.DemotionOf("v1", "cpu"); !ok || got != d {
		t.Errorf("%+v, %v", got, ok)
	}
	if _, ok := after.DemotionOf("v1", "memory"); ok {
		t.Error("another target is demoted")
	}
	if left := s.Reinstate("v1", "cpu"); len(left.Demoted) != 1 || left.Demoted[0].Version != "v2" || len(s.Demoted) != 2 {
		t.Errorf("%+v", left)
	}
	if left := s.without("v2"); len(left.Demoted) != 1 || left.Demoted[0] != d {
		t.Errorf("%+v", left)
	}
	if err := s.check(); err != nil {
		t.Error(err)
	}
	for _, bad := range []Demotion{{Version: "../v1", Target: "cpu"}, {Version: "v1"}} {
		if err := (Stages{Demoted: []Demotion{bad}}).check(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
