package ppkg

const (
	configNamespace   = "urn:schemas-Microsoft-com:Windows-ICD-Package-Config.v1.0"
	settingsNamespace = "urn:schemas-microsoft-com:windows-provisioning"
)

// settingsElement wraps the settings of a project.
func settingsElement(common *element) *element {
	return inSpace(settingsNamespace, newElement("Settings").add(newElement("Customizations").add(common)))
}

// answerFile repeats the settings of a project without the names that are
// only there for people (formats/ppkg.md §2.1).
func answerFile(common *element) []byte {
	return document(declaration, settingsElement(withoutNames(common)))
}

func withoutNames(e *element) *element {
	plain := &element{name: e.name, text: e.text}
	for _, a := range e.attrs {
		if a.space == "" && a.name != "Name" {
			plain.attrs = append(plain.attrs, a)
		}
	}
	for _, c := range e.children {
		plain.children = append(plain.children, withoutNames(c))
	}
	return plain
}

// inSpace gives a tree a namespace.
func inSpace(space string, e *element) *element {
	e.space = space
	for _, c := range e.children {
		inSpace(space, c)
	}
	return e
}
