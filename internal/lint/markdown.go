package lint

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// checkLinks reports relative links in Markdown files that lead to no file, and
// fragments that lead to no heading.
func (t *tree) checkLinks() []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(t.texts)) {
		if path.Ext(name) != ".md" || inTestdata(name) {
			continue
		}
		for _, match := range markdownLink.FindAllSubmatch(t.texts[name], -1) {
			link := string(match[1])
			if !strings.Contains(link, "://") && !t.leadsSomewhere(name, link) {
				problems = append(problems, fmt.Sprintf("%s: the link %s leads nowhere", name, link))
			}
		}
	}
	return problems
}

func (t *tree) leadsSomewhere(from, link string) bool {
	file, fragment, _ := strings.Cut(link, "#")
	target := from
	if file != "" {
		target = path.Join(path.Dir(from), file)
	}
	text, ok := t.texts[target]
	if !ok {
		return t.hasFolder(target) && fragment == ""
	}
	return fragment == "" || slices.Contains(anchors(string(text)), fragment)
}

func (t *tree) hasFolder(dir string) bool {
	for name := range t.texts {
		if within(dir, name) {
			return true
		}
	}
	return false
}

var notInAnchor = regexp.MustCompile("[^a-z0-9 _-]")

// anchors returns the fragments of a Markdown file's headings, spelled as GitHub does.
func anchors(text string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' {
			plain := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			found = append(found, strings.ReplaceAll(plain, " ", "-"))
		}
	}
	return found
}

// codeBlocks returns the fenced blocks of one language.
func codeBlocks(text, language string) []string {
	var blocks []string
	for _, part := range strings.Split(text, "```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	return blocks
}
