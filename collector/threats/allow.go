package threats

import (
	"net"
	"net/netip"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// Allow says whose counters are left out, such as those of a scanner or of a build server.
type Allow struct {
	CIDRs      []netip.Prefix // of any label whose value is an address, with or without a port
	Users      []string       // of labels that name a user or a principal; * stands for any text
	Namespaces []string       // of labels that name a namespace; likewise
}

// empty reports whether nobody is left out.
func (a *Allow) empty() bool { return len(a.CIDRs)+len(a.Users)+len(a.Namespaces) == 0 }

// Match reports whether an answer with the labels ls is left out.
func (a *Allow) Match(ls labels.Labels) bool {
	if a.empty() {
		return false
	}
	found := false
	ls.Range(func(l labels.Label) {
		if found {
			return
		}
		name := strings.ToLower(l.Name)
		switch {
		case strings.Contains(name, "user") || strings.Contains(name, "principal"):
			found = matchAny(a.Users, l.Value)
		case strings.Contains(name, "namespace") || strings.HasSuffix(name, "ns_name"):
			found = matchAny(a.Namespaces, l.Value)
		}
		if !found && len(a.CIDRs) > 0 {
			found = a.address(l.Value)
		}
	})
	return found
}

// address reports whether v is an address in one of the networks.
func (a *Allow) address(v string) bool {
	if v == "" || len(v) > 64 || !strings.ContainsAny(v, ".:") {
		return false
	}
	if host, _, err := net.SplitHostPort(v); err == nil {
		v = host
	}
	ip, err := netip.ParseAddr(v)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	for _, p := range a.CIDRs {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

func matchAny(patterns []string, v string) bool {
	for _, p := range patterns {
		if Wildcard(p, v) {
			return true
		}
	}
	return false
}

// Wildcard reports whether v is pattern, in which * stands for any text, also for none.
// Time O(len(pattern)·len(v)) at worst.
func Wildcard(pattern, v string) bool {
	head, rest, more := strings.Cut(pattern, "*")
	if !strings.HasPrefix(v, head) {
		return false
	}
	v = v[len(head):]
	for more {
		var part string
		part, rest, more = strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(v, part)
		}
		i := strings.Index(v, part)
		if i < 0 {
			return false
		}
		v = v[i+len(part):]
	}
	return v == ""
}
