package report

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tcpstate/report/detect"
)

// A word that a field never has is refused, however the comparison is written, and what may
// be anything is not.
func TestWhereKnowsTheWords(t *testing.T) {
	for src, want := range map[string]string{
		`client.state == "NOPE"`:                                    `"NOPE" is not a state, which is one of CLOSED, LISTEN, SYN-SENT, `,
		`client.state == "CLOSE_WAIT"`:                              `"CLOSE_WAIT" is not a state`,
		`duration > 3 and "close-wait" != server.state`:             `"close-wait" is not a state`,
		`not (client.state in ["CLOSED", "SHUT"])`:                  `"SHUT" is not a state`,
		`client?.state == "SHUT"`:                                   `"SHUT" is not a state`,
		`$env.client["state"] == "SHUT"`:                            `"SHUT" is not a state`,
		`client.certainty == "revoked"`:                             `"revoked" is not how a state is known, which is one of presumed, confirmed, elapsed`,
		`roles == "ack"`:                                            `"ack" is not why the client is taken for the client, which is one of guess, port, syn-ack, syn`,
		`close.kind == "gracefull"`:                                 `"gracefull" is not a kind of close`,
		`close.by == "none"`:                                        `"none" is not who closes`,
		`close.reset == "rst"`:                                      `"rst" is not a class of reset`,
		`time_wait.endpoint == "nobody"`:                            `"nobody" is not who holds TIME-WAIT`,
		`zeek.conn_state == "RST0"`:                                 `"RST0" is not a state of Zeek`,
		`"refuse" in findings`:                                      `"refuse" is not a finding, which is one of `,
		`"refuse" in $env.findings`:                                 `"refuse" is not a finding`,
		`client.state == "` + strings.Repeat("\u6f22", 9999) + `"`:  strings.Repeat("\u6f22", wordMost) + `…" is not a state`,
		`client.state in ["CLOSED", "LISTEN"] and close.kind != ""`: "",
		`client.addr == "nowhere" or server.addr in ["x"] or client.addr == server.addr`:        "",
		`zeek.history == "ShADad" or client.state startsWith "FIN" or client.state matches "_"`: "",
		`close.by == nil and roles != "guess" and "refused" in findings and findings != nil`:    "",
	} {
		_, err := ParseWhere(src)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s: %v, want %q", src, err, want)
		}
	}
	_, err := ParseWhere("true and\n  close.kind == \"gracefull\"")
	if want := "\n    close.kind == \"gracefull\"\n                  ^"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// The words are those of the schema, and Zeek's those that are written.
func TestWordsAreAllThereAre(t *testing.T) {
	schema, err := os.ReadFile("schema/tcpstate-v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type part struct {
		Enum       []*string        `json:"enum"`
		Properties map[string]*part `json:"properties"`
		AnyOf      []*part          `json:"anyOf"`
		Defs       map[string]*part `json:"$defs"`
	}
	var root part
	if err := json.Unmarshal(schema, &root); err != nil {
		t.Fatal(err)
	}
	life := root.Defs["connection"].Properties
	for name, x := range map[string]struct {
		of   vocabulary
		have []*string
	}{
		"state":              {stateWords, root.Defs["state"].Enum},
		"certainty":          {certaintyWords, root.Defs["end"].Properties["certainty"].Enum},
		"transition":         {changeWords, root.Defs["transition"].Properties["certainty"].Enum},
		"roles":              {roleWords, life["roles"].Enum},
		"close.kind":         {closeWords, life["close"].Properties["kind"].Enum},
		"close.by":           {closerWords, life["close"].Properties["by"].Enum},
		"close.reset":        {resetWords, life["close"].Properties["reset"].Enum},
		"time_wait.endpoint": {holderWords, life["time_wait"].AnyOf[1].Properties["endpoint"].Enum},
		"severity":           {severityWords, root.Defs["severity"].Enum},
	} {
		var have []string
		for _, w := range x.have {
			if w != nil {
				have = append(have, *w)
			}
		}
		agree(t, name, x.of, have)
	}

	zeek, err := os.ReadFile("../tracker/zeek.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(zeek), "\nfunc zeekConnState(")
	body, _, _ = strings.Cut(body, "\n}\n")
	var have []string
	for _, m := range regexp.MustCompile(`return "(\w+)"`).FindAllStringSubmatch(body, -1) {
		have = append(have, m[1])
	}
	agree(t, "zeek.conn_state", zeekWords, have)

	if len(findingWords.words) != len(detect.Catalogue) {
		t.Errorf("%d findings, and %d in the catalogue", len(findingWords.words), len(detect.Catalogue))
	}
	for _, l := range []vocabulary{stateWords, certaintyWords, roleWords, closeWords, resetWords, zeekWords, findingWords} {
		for _, w := range l.words {
			if len(w) > wordMost/2 {
				t.Errorf("%s is longer than the half of what is quoted", w)
			}
		}
	}
}

func agree(t *testing.T, name string, of vocabulary, have []string) {
	t.Helper()
	slices.Sort(have)
	if want := slices.Sorted(slices.Values(of.words)); len(want) == 0 || !slices.Equal(slices.Compact(have), want) {
		t.Errorf("%s: %q, and there are %q", name, want, have)
	}
}
