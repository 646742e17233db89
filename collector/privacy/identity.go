package privacy

import "strings"

// identities are the names of labels that say who somebody is or where he is, in lower
// case without "_", "-" and "."; what exporters, OpenTelemetry and log collectors use.
var identities = map[string]bool{
	// Users.
	"user": true, "username": true, "userid": true, "useremail": true, "usersub": true, "enduserid": true, "email": true, "mail": true, "login": true,
	"principal": true, "sourceprincipal": true, "subject": true, "sub": true, "actor": true, "identity": true, "account": true, "accountid": true,
	"uid": true, "uidname": true, "owneremail": true, "upn": true,
	// Sessions and devices.
	"session": true, "sessionid": true, "sid": true, "deviceid": true, "useragent": true, "fingerprint": true,
	// Addresses.
	"source": true, "sourceip": true, "sourceaddress": true, "src": true, "srcip": true, "srcaddress": true, "ip": true, "ipaddr": true, "ipaddress": true,
	"clientip": true, "clientaddress": true, "clientaddr": true, "remoteip": true, "remoteaddr": true, "remoteaddress": true, "peeraddress": true,
	"address": true, "addr": true, "realip": true, "xforwardedfor": true, "mac": true, "macaddress": true,
}

// Identifying reports whether a label of this name usually holds the name of a user, an
// account or a session, or the address of a client. Machines of one's own (instance,
// host, pod, node) and network devices are not meant.
func Identifying(label string) bool {
	return identities[strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(label))]
}
