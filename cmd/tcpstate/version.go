package main

import (
	"runtime"
	"runtime/debug"
)

// programVersion is the module's version, or the commit it was built from.
func programVersion() string {
	version, revision := "devel", ""
	if bi, ok := debug.ReadBuildInfo(); ok {
		if v := bi.Main.Version; v != "" && v != "(devel)" {
			version = v
		}
		for _, s := range bi.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 && version == "devel" {
				revision = " " + s.Value[:12]
			}
		}
	}
	return version + revision
}

// versionText is what --version prints.
func versionText() string {
	return "tcpstate " + programVersion() + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}
