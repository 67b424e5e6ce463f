package ppkg

// KnownPolicy says how the value of a policy is written, if the policy is one
// of those that [Known] lists. Of a policy that is either on or off, labels has
// the Designer's words for its values, Yes for "1" and No for "0"; of any
// other it is nil, and nothing but the type is known.
//
// Names are compared letter by letter, as in a project.
func KnownPolicy(area, name string) (t Type, labels map[string]string, known bool) {
	r, known := settingTable["Policies/"+area+"/"+name]
	if len(r.labels) > 0 {
		labels = map[string]string{}
	}
	for _, l := range r.labels {
		labels[l.label] = l.value
	}
	return r.Type, labels, known
}
