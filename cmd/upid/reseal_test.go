package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upid/upid/collector/store"
)

// TestReseal changes the key of a directory with models and threats: afterwards the new key
// alone opens them, and a running upid is in the way.
func TestReseal(t *testing.T) {
	examples(t)
	first, both, second := keyFile(t, 1), keyFile(t, 2, 1), keyFile(t, 2)
	with := func(key string) string { return " --storage.path data --storage.encryption-key-file " + key }
	reseal := func(args string) outcome { t.Helper(); return upid(t, "", "state reseal --storage.path data "+args) }
	upid(t, "", "train resource_prediction --training-data data.json --epochs 5 --force"+with(first)).want(t, exitOK, "saved as")
	keys, err := store.ReadKeys(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.NewRecords("data", threatsKind, keys).Save([][]byte{[]byte("found")}); err != nil {
		t.Fatal(err)
	}

	reseal("").want(t, exitUsage, "there is no key file")
	lock, err := store.Acquire("data")
	if err != nil {
		t.Fatal(err)
	}
	reseal("--storage.encryption-key-file "+both).want(t, exitFailure, "in use", "upid stop")
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	o := reseal("--storage.encryption-key-file " + both)
	o.want(t, exitOK)
	if want := "3 files sealed anew, 0 were already, 0 are plain, 0 could not be read\nevery one opens with the first key alone: the others may be removed from the key file\n"; o.stdout != want {
		t.Errorf("%s", o.stdout)
	}
	predict := "predict --model-type resource_prediction --features features.json -o csv"
	upid(t, "", predict+with(second)).want(t, exitOK)
	upid(t, "", predict+with(first)).want(t, exitFailure, "not in the key file")

	// What is plain is sealed if it is wanted.
	path := filepath.Join("data", threatsKind, threatsKind+".records")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := store.NewRecords("data", threatsKind, nil).Save([][]byte{[]byte("found")}); err != nil {
		t.Fatal(err)
	}
	reseal("--storage.encryption-key-file "+second).want(t, exitFailure, "threats/threats.records is plain, and left so", "--seal-plain", "1 files are not sealed")
	if o := reseal("--seal-plain --storage.encryption-key-file " + second); o.code != exitOK || !strings.HasPrefix(o.stdout, "1 files sealed anew, 2 were already") {
		t.Errorf("%d, %s, %s", o.code, o.stdout, o.stderr)
	}
	if b, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(b), "upid.sealed.1\n") {
		t.Errorf("%.20q, %v", b, err)
	}
	trail := upid(t, "", "audit list --storage.path data -o csv")
	if trail.code != exitOK || strings.Count(trail.stdout, ",reseal,") != 4 { // one that failed has two lines
		t.Errorf("%s", trail.stdout)
	}
}
