package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The policy that README.md shows is the one in testdata, it passes on the good capture and
// fails on the bad one, and the page says so.
func TestReadmePolicy(t *testing.T) {
	page := readPage(t, "README.md")
	const file = "testdata/policies/api.yaml"
	if !strings.Contains(page, "```yaml\n"+readPage(t, file)+"```\n") {
		t.Errorf("README.md does not show %s as it is", file)
	}
	told := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```console\n\\$ tcpstate check --policy "+file+" ([^\n]*)\n(.*?)```\n").FindAllStringSubmatch(page, -1) {
		words := strings.Fields(strings.TrimSuffix(m[1], "; echo $?"))
		lines := strings.Split(strings.TrimSuffix(m[2], "\n"), "\n")
		told[words[len(words)-1]] = lines[len(lines)-1]
	}
	for capture, status := range map[string]int{"testdata/pcaps/client-closes-first.pcap": exitOK, "testdata/pcaps/close-wait-leak.pcap": exitFindings} {
		if want := string(rune('0' + status)); told[capture] != want {
			t.Errorf("README.md says that %s ends with %q, not %s", capture, told[capture], want)
		}
		var stdout, stderr bytes.Buffer
		if code := run([]string{"check", "--policy", filepath.Join(root, file), filepath.Join(root, capture)}, nil, &stdout, &stderr); code != status {
			t.Errorf("%s: exit status %d\n%s%s", capture, code, &stdout, &stderr)
		}
	}
}

// All YAML on the page is YAML.
func TestReadmeYAML(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```\n").FindAllStringSubmatch(readPage(t, "README.md"), -1)
	if len(blocks) < 3 {
		t.Errorf("only %d blocks", len(blocks))
	}
	for _, b := range blocks {
		var v any
		if err := yaml.Unmarshal([]byte(b[1]), &v); err != nil {
			t.Errorf("%v:\n%s", err, b[1])
		}
	}
}

// action.yml does what it says, as a runner would run it.
func TestAction(t *testing.T) {
	var action struct {
		Inputs map[string]struct {
			Description string
			Required    bool
			Default     string
		}
		Outputs map[string]struct{ Value string }
		Runs    struct {
			Using string
			Steps []struct {
				ID, Uses, Shell, Run string
				Env                  map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(readPage(t, "action.yml")), &action); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash")
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	output, built := filepath.Join(temp, "output"), false
	play := func(inputs map[string]string) (status int, said string) {
		os.WriteFile(output, nil, 0o666)
		for _, step := range action.Runs.Steps {
			if step.Run == "" {
				continue
			}
			if strings.Contains(step.Run, "${{") {
				t.Errorf("step %s has an input in its text", step.ID)
			}
			if step.ID == "build" {
				if built {
					continue // once is enough
				}
				built = true
				if os.Getenv("TCPSTATE_REQUIRE_ALL") == "" {
					// The same, from what this test has compiled already.
					if b, err := exec.Command("go", "build", "-o", filepath.Join(temp, "tcpstate"), ".").CombinedOutput(); err != nil {
						t.Fatalf("%v\n%s", err, b)
					}
					continue
				}
			}
			c := exec.Command("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step.Run)
			c.Dir = temp
			c.Env = append(os.Environ(), "GITHUB_ACTION_PATH="+abs, "RUNNER_TEMP="+temp, "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+filepath.Join(temp, "summary.md"))
			for name, value := range step.Env {
				in := regexp.MustCompile(`^\$\{\{ inputs\.([a-z-]+) \}\}$`).FindStringSubmatch(value)
				if in == nil || action.Inputs[in[1]].Description == "" {
					t.Fatalf("%s: %s is no input", name, value)
				}
				v, given := inputs[in[1]]
				if !given {
					v = action.Inputs[in[1]].Default
				}
				c.Env = append(c.Env, name+"="+v)
			}
			b, err := c.CombinedOutput()
			said += string(b)
			if err != nil && c.ProcessState == nil {
				t.Fatal(err)
			}
			status = c.ProcessState.ExitCode()
			if step.ID == "build" && err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
		}
		return status, said
	}
	pcaps := filepath.Join(abs, "testdata", "pcaps")
	status, said := play(map[string]string{"captures": filepath.Join(pcaps, "client-closes-first.pcap") + "\n", "policy": filepath.Join(abs, "testdata/policies/api.yaml")})
	if status != exitOK {
		t.Errorf("status %d\n%s", status, said)
	}
	hostile := "$(touch hacked) `touch hacked`; touch hacked"
	status, said = play(map[string]string{"captures": filepath.Join(pcaps, "close-wait-leak.pcap") + "\n" + hostile, "fail-on": "warning"})
	if status != exitDamaged || !strings.Contains(said, "::error file=") {
		t.Errorf("status %d\n%s", status, said)
	}
	if b, _ := os.ReadFile(output); string(b) != "status=3\n" {
		t.Errorf("the output is %q", b)
	}
	for _, f := range []string{"tcpstate.sarif", "tcpstate.xml", "summary.md"} {
		if fi, err := os.Stat(filepath.Join(temp, f)); err != nil || fi.Size() == 0 {
			t.Errorf("%s was not written: %v", f, err)
		}
	}
	if _, err := os.Stat(filepath.Join(temp, "hacked")); err == nil {
		t.Error("the name of a capture was run")
	}
}
