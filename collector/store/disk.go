package store

import (
	"io"
	"os"
)

// disk is what files are written through: that of the system but in tests, in which the
// n-th call fails or the power goes.
type disk interface {
	Mkdir(dir string) error
	CreateTemp(dir, pattern string) (diskFile, error) // mode 0600
	Rename(from, to string) error
	Link(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error // makes names in dir durable
}

type diskFile interface {
	io.WriteCloser
	Name() string
	Sync() error
}

// theDisk is the one in use.
var theDisk disk = systemDisk{}

type systemDisk struct{}

func (systemDisk) Mkdir(dir string) error       { return os.Mkdir(dir, 0o700) }
func (systemDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (systemDisk) Link(from, to string) error   { return os.Link(from, to) }
func (systemDisk) Remove(path string) error     { return os.Remove(path) }
func (systemDisk) CreateTemp(dir, pattern string) (diskFile, error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (systemDisk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
