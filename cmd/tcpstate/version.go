package main

import (
	"runtime"
	"runtime/debug"
)

// versionText is what --version prints: the module's version, or the commit
// it was built from.
func versionText() string {
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
	return "tcpstate " + version + revision + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}
