package threat

// compromisedRisk is the least risk of an account that was broken into and used: critical, as
// attack sequences are to others (AWS GuardDuty).
const compromisedRisk = 90

// story returns the threat that several pieces of evidence make together at t, "" if they
// make none:
//
//   - a way in, then rights, secrets or data taken by the same entity within a day after: a
//     compromised account. A way in is brute force, a success after it, or a log-in from
//     where, or with what, the identity never came from (first_seen of the family auth);
//   - an identity at odd hours, or doing more or other things than it ever did (the family
//     behavior), and secrets or data taken within a day before or after, without a way in:
//     an insider.
//
// forced is true where the way in was brute force.
func (r *Risk) story(t int64) (threat string, forced bool) {
	var in, taken, secret, odd int64 // times of the first way in, and of the newest others
	for i := range r.evidence {
		e := &r.evidence[i]
		switch e.Threat {
		case BruteForce, BruteForceSuccess:
			forced = true
			if in == 0 {
				in = e.Time
			}
			continue
		case CredentialAccess, DataExfiltration:
			secret = max(secret, e.Time)
			taken = max(taken, e.Time)
			continue
		case PrivilegeEscalation:
			taken = max(taken, e.Time)
			continue
		}
		switch {
		case e.Model == ModelFirstSeen && e.Family == FamilyAuth:
			if in == 0 {
				in = e.Time
			}
		case e.Family == FamilyBehavior:
			odd = max(odd, e.Time)
		}
	}
	switch {
	case in != 0 && taken >= in && taken-in <= day && t-taken <= day:
		return CompromisedAccount, forced
	case in == 0 && odd != 0 && secret != 0 && max(odd, secret)-min(odd, secret) <= day:
		return Insider, false
	}
	return "", false
}

// Threat returns the threat that the evidence at t amounts to: that of its story, if it makes
// one, else that of the highest risk. An insider's story counts only if the secrets or
// the data are what weighs most.
func (r *Risk) Threat(t int64) string {
	story, _ := r.story(t)
	if story == CompromisedAccount {
		return story
	}
	best, threat := 0.0, ""
	for _, name := range Threats {
		if v := r.combine(t, func(e *Evidence) bool { return e.Threat == name }); v > best {
			best, threat = v, name
		}
	}
	if story == Insider && (threat == CredentialAccess || threat == DataExfiltration) {
		return story
	}
	return threat
}
