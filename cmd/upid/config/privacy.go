package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
)

// Privacy names the labels that do not leave as they are: regular expressions for whole
// names. Keep counts before Drop, and Drop before Hash.
type Privacy struct {
	Keep, Drop, Hash []string
	KeyFile          string // of Hash
	Fingerprint      string // of the policy and its key, once that was read; says nothing about it
}

// Empty reports whether nothing is dropped or hashed.
func (p *Privacy) Empty() bool { return len(p.Drop)+len(p.Hash) == 0 }

type rawPrivacy struct {
	Keep    []string `yaml:"keep"`
	Drop    []string `yaml:"drop"`
	Hash    []string `yaml:"hash"`
	KeyFile string   `yaml:"key_file"`
}

func (v *validator) privacy(raw rawPrivacy) Privacy {
	p := Privacy{Keep: raw.Keep, Drop: raw.Drop, Hash: raw.Hash, KeyFile: raw.KeyFile, Fingerprint: ""}
	for key, list := range map[string][]string{"keep": raw.Keep, "drop": raw.Drop, "hash": raw.Hash} {
		for i, s := range list {
			if _, err := regexp.Compile("^(?s:" + s + ")$"); err != nil || s == "" {
				v.at(fmt.Sprintf("%q, want the name of a label, or a regular expression for whole names", s), "privacy", key, i)
			}
		}
	}
	switch {
	case len(raw.Hash) > 0 && raw.KeyFile == "":
		v.at("missing: hash needs a file with a secret key of at least 16 bytes, such as openssl rand -hex 32 writes", "privacy", "key_file")
	case raw.KeyFile != "" && !filepath.IsAbs(raw.KeyFile):
		p.KeyFile = filepath.Join(filepath.Dir(v.file), raw.KeyFile)
	}
	return p
}

type shownPrivacy struct {
	Keep    []string `yaml:"keep,flow,omitempty"`
	Drop    []string `yaml:"drop,flow,omitempty"`
	Hash    []string `yaml:"hash,flow,omitempty"`
	KeyFile string   `yaml:"key_file,omitempty"`
}

// showPrivacy returns the key as a file would have it, nil if nothing is dropped or hashed.
func showPrivacy(p *Privacy) *shownPrivacy {
	if p.Empty() {
		return nil
	}
	return &shownPrivacy{Keep: slices.Clone(p.Keep), Drop: slices.Clone(p.Drop), Hash: slices.Clone(p.Hash), KeyFile: p.KeyFile}
}
