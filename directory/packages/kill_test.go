package packages

const victimVariable = "FIRSTDAY_PACKAGES_VICTIM"

func beVictim(string) {}
