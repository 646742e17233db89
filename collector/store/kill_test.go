package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// saver is the environment of a child that saves and promotes until it is killed; see
// TestMain.
const saver = "UPID_TEST_SAVE_IN"

// partsOf is the content of a version: its own name, over and over, in two parts.
func partsOf(name string) [][]byte {
	return [][]byte{[]byte(name), bytes.Repeat([]byte(name+" "), 40_000)}
}

func saveForEver(dir string) {
	c, v := NewCheckpoints(dir, nil), NewVersions(dir, nil)
	for {
		name, err := v.Save(typ, func(name string) ([][]byte, error) { return partsOf(name), nil })
		change := func(of func(Stages) (Stages, error)) {
			if err != nil {
				return
			}
			_, _, err = v.Change(typ, func(s Stages) (Stages, error) {
				after, err := of(s)
				fmt.Println("to", after.Active)
				return after, err
			})
			fmt.Println("done")
		}
		change(func(s Stages) (Stages, error) { return s.Promote(name, "active", 0) })
		if number(name)%2 == 0 { // what is rolled back is active again
			change(func(s Stages) (Stages, error) { return s.Rollback(func(old string) bool { return v.Has(typ, old) }) })
			change(func(s Stages) (Stages, error) { return s.Promote(name, "active", 0) })
		}
		if err == nil {
			err = c.Save("a", "key", content)
		}
		if err == nil && number(name) > 3 { // what is deleted is not there in part either
			err = v.Delete(typ, "v"+strconv.Itoa(number(name)-3))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// TestFault_D1: killed at any moment during a save, a promotion or a rollback, there are old or new versions and
// stages, never torn ones, and what was half written goes. UPID_KILLS says how often: 1,000
// times in make soak.
func TestFault_D1(t *testing.T) {
	kills := 20
	if n, err := strconv.Atoi(os.Getenv("UPID_KILLS")); err == nil {
		kills = n
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	v := NewVersions(dir, nil)
	r := rand.New(rand.NewPCG(1, 1))
	newest, left, was := 0, 0, ""
	for k := range kills {
		child := exec.Command(exe)
		child.Env = append(os.Environ(), saver+"="+dir)
		var said, did bytes.Buffer
		child.Stderr, child.Stdout = &said, &did
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+r.IntN(100)) * time.Millisecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err == nil || said.Len() > 0 {
			t.Fatalf("kill %d: it ended by itself: %s", k, said.String())
		}
		s, err := v.Stages(typ)
		if err != nil {
			t.Fatalf("kill %d: %v", k, err)
		}
		names, err := v.List(typ)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			parts, err := v.Load(typ, name)
			if err != nil || len(parts) != 2 || !bytes.Equal(parts[1], partsOf(name)[1]) {
				t.Fatalf("kill %d: %s: %v", k, name, err)
			}
		}
		if s.Active != "" && !v.Has(typ, s.Active) {
			t.Fatalf("kill %d: %s is active and not there: %v", k, s.Active, names)
		}
		// Promotions and rollbacks that were done are, and the one under way is or is not.
		may := []string{was}
		for line := range strings.Lines(did.String()) {
			switch to, promoted := strings.CutPrefix(strings.TrimSpace(line), "to "); {
			case promoted:
				may = append(may, to)
			case strings.HasSuffix(line, "\n"): // done
				may = may[len(may)-1:]
			}
		}
		if !slices.Contains(may, s.Active) {
			t.Fatalf("kill %d: %q is active, want one of %q", k, s.Active, may)
		}
		was = s.Active
		if len(names) > 0 {
			if n := number(names[len(names)-1]); n < newest {
				t.Fatalf("kill %d: version %d is gone, the newest is %d", k, newest, n)
			} else {
				newest = n
			}
		}
		if got, err := load1(NewCheckpoints(dir, nil), "a"); err == nil && !strings.HasPrefix(got, "series 0\n") || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("kill %d: checkpoint %q, %v", k, got, err)
		}
		left += temporary(t, dir)
		if err := RemoveTemporary(dir); err != nil {
			t.Fatal(err)
		}
		if n := temporary(t, dir); n > 0 {
			t.Fatalf("kill %d: %d temporary files stay", k, n)
		}
	}
	if newest < 2 {
		t.Errorf("only %d versions were saved", newest)
	}
	t.Logf("killed %d times: %d versions, %d half-written files removed", kills, newest, left)
}

func temporary(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, tmpSuffix) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
