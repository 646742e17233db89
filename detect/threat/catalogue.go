package threat

import "strings"

// A Sensitive says what an action is worth to an attacker.
type Sensitive struct {
	Weight    float64 // 0 ordinary; 6 what hardly anybody does without a reason
	Threat    string
	Technique string // MITRE ATT&CK
}

// A Catalogue knows the sensitive actions of one kind of system.
type Catalogue int

// The catalogues.
const (
	Kubernetes Catalogue = iota // verb and resource[/subresource] of the audit log
	AWS                         // event name and service of CloudTrail
)

// Look returns what an action is worth. Case does not matter.
func (c Catalogue) Look(verb, resource string) Sensitive {
	verb, resource = strings.ToLower(verb), strings.ToLower(resource)
	if c == AWS {
		return lookAWS(verb)
	}
	return lookKubernetes(verb, resource)
}

// kubernetesWrites are the resources that give power to whoever writes them.
// MITRE ATT&CK, matrix Containers; Kubernetes, RBAC good practices.
var kubernetesWrites = map[string]Sensitive{
	"clusterrolebindings":             {6, PrivilegeEscalation, "T1098.006"},
	"rolebindings":                    {5, PrivilegeEscalation, "T1098.006"},
	"clusterroles":                    {5, PrivilegeEscalation, "T1098.006"},
	"roles":                           {4, PrivilegeEscalation, "T1098.006"},
	"pods/exec":                       {5, PrivilegeEscalation, "T1609"},
	"pods/attach":                     {5, PrivilegeEscalation, "T1609"},
	"pods/portforward":                {4, PrivilegeEscalation, "T1609"},
	"pods/ephemeralcontainers":        {5, PrivilegeEscalation, "T1609"},
	"serviceaccounts/token":           {5, PrivilegeEscalation, "T1528"},
	"mutatingwebhookconfigurations":   {5, PrivilegeEscalation, "T1546"},
	"validatingwebhookconfigurations": {3, DefenseEvasion, "T1562.001"},
	"certificatesigningrequests":      {5, PrivilegeEscalation, "T1098"},
	"secrets":                         {4, CredentialAccess, "T1552.007"},
	"daemonsets":                      {3, PrivilegeEscalation, "T1610"},
	"nodes":                           {3, PrivilegeEscalation, "T1611"},
	"nodes/proxy":                     {5, PrivilegeEscalation, "T1611"},
	"selfsubjectaccessreviews":        {3, UnusualBehavior, "T1613"},
	"selfsubjectrulesreviews":         {3, UnusualBehavior, "T1613"},
}

func lookKubernetes(verb, resource string) Sensitive {
	switch verb {
	case "get", "list", "watch":
		switch resource {
		case "secrets":
			return kubernetesWrites[resource]
		case "pods/exec", "pods/attach", "nodes/proxy": // a get of them is an upgrade to a stream
			return kubernetesWrites[resource]
		}
		return Sensitive{1, UnusualBehavior, "T1613"}
	}
	if s, ok := kubernetesWrites[resource]; ok {
		return s
	}
	if resource == "events" {
		return Sensitive{1, UnusualBehavior, "T1078"}
	}
	return Sensitive{1.5, UnusualBehavior, "T1078"}
}

// awsEvents are calls that attackers of accounts make, without the version some
// names end in. MITRE ATT&CK, matrix IaaS.
var awsEvents = map[string]Sensitive{
	// Logs and guards are turned off.
	"stoplogging":                      {6, DefenseEvasion, "T1562.008"},
	"deletetrail":                      {6, DefenseEvasion, "T1562.008"},
	"puteventselectors":                {6, DefenseEvasion, "T1562.008"},
	"deleteeventdatastore":             {6, DefenseEvasion, "T1562.008"},
	"deleteflowlogs":                   {6, DefenseEvasion, "T1562.008"},
	"putbucketlifecycle":               {6, DefenseEvasion, "T1562.008"},
	"stopconfigurationrecorder":        {6, DefenseEvasion, "T1562.008"},
	"deletedeliverychannel":            {6, DefenseEvasion, "T1562.008"},
	"leaveorganization":                {6, DefenseEvasion, "T1562.008"},
	"deletedetector":                   {6, DefenseEvasion, "T1562.001"},
	"disassociatefrommasteraccount":    {6, DefenseEvasion, "T1562.001"},
	"disablesecurityhub":               {6, DefenseEvasion, "T1562.001"},
	"updatetrail":                      {5, DefenseEvasion, "T1562.008"},
	"deleteloggroup":                   {3, DefenseEvasion, "T1562.008"},
	"deletelogstream":                  {4, DefenseEvasion, "T1562.008"},
	"deleteconfigrule":                 {4, DefenseEvasion, "T1562.001"},
	"deletealarms":                     {4, DefenseEvasion, "T1562.008"},
	"authorizesecuritygroupingress":    {6, DataExfiltration, "T1562.007"},
	"deletenetworkaclentry":            {4, DefenseEvasion, "T1562.007"},
	"schedulekeydeletion":              {6, DefenseEvasion, "T1485"},
	"disablekey":                       {5, DefenseEvasion, "T1485"},
	"putbucketversioning":              {3, DefenseEvasion, "T1490"},
	"deleterecoverypoint":              {5, DefenseEvasion, "T1490"},
	"getpassworddata":                  {6, CredentialAccess, "T1552"},
	"getsecretvalue":                   {5, CredentialAccess, "T1555.006"},
	"batchgetsecretvalue":              {6, CredentialAccess, "T1555.006"},
	"getparameters":                    {5, CredentialAccess, "T1555.006"},
	"getparametersbypath":              {5, CredentialAccess, "T1555.006"},
	"describeinstanceattribute":        {5, CredentialAccess, "T1552;T1580"},
	"getsessiontoken":                  {4, CredentialAccess, "T1550.001"},
	"getfederationtoken":               {6, CredentialAccess, "T1550.001"},
	"sendserialconsolesshpublickey":    {6, CredentialAccess, "T1021.004"},
	"sendsshpublickey":                 {5, CredentialAccess, "T1021.004"},
	"createaccesskey":                  {6, PrivilegeEscalation, "T1098.001"},
	"createloginprofile":               {6, PrivilegeEscalation, "T1098"},
	"updateloginprofile":               {6, PrivilegeEscalation, "T1098"},
	"updateassumerolepolicy":           {6, PrivilegeEscalation, "T1098"},
	"attachuserpolicy":                 {6, PrivilegeEscalation, "T1098.003"},
	"putuserpolicy":                    {6, PrivilegeEscalation, "T1098.003"},
	"addusertogroup":                   {4, PrivilegeEscalation, "T1098.003"},
	"attachgrouppolicy":                {4, PrivilegeEscalation, "T1098.003"},
	"putgrouppolicy":                   {4, PrivilegeEscalation, "T1098.003"},
	"createpolicyversion":              {5, PrivilegeEscalation, "T1098.003"},
	"setdefaultpolicyversion":          {5, PrivilegeEscalation, "T1098.003"},
	"putrolepolicy":                    {2, PrivilegeEscalation, "T1098.003"},
	"attachrolepolicy":                 {2, PrivilegeEscalation, "T1098.003"},
	"createuser":                       {4, PrivilegeEscalation, "T1136.003"},
	"deactivatemfadevice":              {6, PrivilegeEscalation, "T1556.006"},
	"deletevirtualmfadevice":           {5, PrivilegeEscalation, "T1556.006"},
	"createsamlprovider":               {6, PrivilegeEscalation, "T1556"},
	"updatesamlprovider":               {6, PrivilegeEscalation, "T1556"},
	"createopenidconnectprovider":      {5, PrivilegeEscalation, "T1556"},
	"createtrustanchor":                {6, PrivilegeEscalation, "T1098;T1556"},
	"createprofile":                    {5, PrivilegeEscalation, "T1098"},
	"addpermission":                    {6, PrivilegeEscalation, "T1098"},
	"updatefunctioncode":               {6, PrivilegeEscalation, "T1525"},
	"updatefunctionconfiguration":      {5, PrivilegeEscalation, "T1525"},
	"publishlayerversion":              {4, PrivilegeEscalation, "T1525"},
	"sendcommand":                      {6, PrivilegeEscalation, "T1651"},
	"startsession":                     {5, PrivilegeEscalation, "T1651"},
	"modifyinstanceattribute":          {4, PrivilegeEscalation, "T1037"},
	"associateiaminstanceprofile":      {5, PrivilegeEscalation, "T1098"},
	"runinstances":                     {3, UnusualBehavior, "T1578.002"},
	"modifysnapshotattribute":          {6, DataExfiltration, "T1537"},
	"modifyimageattribute":             {6, DataExfiltration, "T1537"},
	"modifydbsnapshotattribute":        {6, DataExfiltration, "T1537"},
	"modifydbclustersnapshotattribute": {6, DataExfiltration, "T1537"},
	"putbucketpolicy":                  {6, DataExfiltration, "T1537"},
	"putbucketacl":                     {5, DataExfiltration, "T1537"},
	"putbucketreplication":             {6, DataExfiltration, "T1537"},
	"deletepublicaccessblock":          {5, DataExfiltration, "T1537"},
	"deletebucketpublicaccessblock":    {5, DataExfiltration, "T1537"},
	"createdbsnapshot":                 {2, DataExfiltration, "T1537"},
	"startexporttask":                  {5, DataExfiltration, "T1537"},
	"createinstanceexporttask":         {5, DataExfiltration, "T1537"},
	"getaccountauthorizationdetails":   {5, UnusualBehavior, "T1087.004"},
	"getcalleridentity":                {1, UnusualBehavior, "T1087.004"},
	"getconsolescreenshot":             {4, UnusualBehavior, "T1113"},
	"getsendquota":                     {4, UnusualBehavior, "T1087.004"},
	"consolelogin":                     {6, UnusualBehavior, "T1078.004"},
	"listsecrets":                      {2, UnusualBehavior, "T1580"},
	"requestservicequotaincrease":      {3, UnusualBehavior, "T1496"},
}

func lookAWS(event string) Sensitive {
	event = strings.TrimRight(event, "v0123456789_")
	if s, ok := awsEvents[event]; ok {
		return s
	}
	for _, read := range []string{"get", "list", "describe", "head", "lookup", "batchget", "search", "check"} {
		if strings.HasPrefix(event, read) {
			return Sensitive{0.2, UnusualBehavior, "T1580"}
		}
	}
	return Sensitive{0.7, UnusualBehavior, "T1078.004"}
}

// Catalogues lists the catalogues by the names presets use.
var Catalogues = map[string]Catalogue{"kubernetes": Kubernetes, "aws": AWS}
