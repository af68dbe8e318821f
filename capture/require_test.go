package capture

import (
	"os"
	"testing"
)

// lacking skips a test for want of something, saying how to get it. Where
// everything has to be tested, the want is a failure.
func lacking(t testing.TB, want string) {
	t.Helper()
	if os.Getenv("TCPSTATE_REQUIRE_ALL") == "1" {
		t.Fatal("TCPSTATE_REQUIRE_ALL: " + want)
	}
	t.Skip(want)
}
