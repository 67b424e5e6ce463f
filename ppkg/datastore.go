package ppkg

// The files that hold a package together; all are the same in every package
// but for the list in RunTime.xml (formats/ppkg.md §2.1).

func elementsFile(kind string, elements ...*element) []byte {
	return document(declarationPlain, newElement("Elements", "Type", kind).add(elements...))
}

func masterDatastore() []byte {
	return document(declaration, newElement("ConfigurationSourceList", "Version", "1.0").add(
		newElement("ConfigurationSource", "Name", "RunTime", "Path", `$(_prov)\RunTime.xml`).add(
			newElement("EventList").add(
				newElement("Event", "Name", "RunTime")))))
}

// runTimePrefix is what stands before the name of a provxml file in RunTime.xml.
const runTimePrefix = `$(_prov)\RunTime\`

func runTime(entries []Entry) []byte {
	source := newElement("ConfigurationSource", "Version", "1.0")
	for _, e := range entries {
		source.add(newElement("ConfigurationSet",
			"Type", "provxml", "SettingsGroup", e.Group, "Data", runTimePrefix+e.File))
	}
	return document(declaration, source)
}
