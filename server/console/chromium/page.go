package chromium

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// A Page is a tab with storage of its own.
type Page struct {
	browser *Browser
	session string

	mu       sync.Mutex // protects the following
	problems []string
}

// NewPage opens an empty tab of this size. What goes wrong in it is collected from
// the beginning: see Problems.
func (b *Browser) NewPage(ctx context.Context, width, height int) (*Page, error) {
	var made struct{ BrowserContextID, TargetID, SessionID string }
	if err := b.call(ctx, "", "Target.createBrowserContext", struct{}{}, &made); err != nil {
		return nil, err
	}
	if err := b.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": made.BrowserContextID}, &made); err != nil {
		return nil, err
	}
	if err := b.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &made); err != nil {
		return nil, err
	}
	p := &Page{browser: b, session: made.SessionID}
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		if err := p.call(ctx, domain+".enable", nil, nil); err != nil {
			return nil, err
		}
	}
	return p, p.Resize(ctx, width, height)
}

func (p *Page) call(ctx context.Context, method string, params, result any) error {
	return p.browser.call(ctx, p.session, method, params, result)
}

// event notes what a developer would see in red, and refusals of the
// Content-Security-Policy among it.
func (p *Page) event(method string, params json.RawMessage) {
	var e struct {
		Type  string
		Args  []struct{ Value, Description any }
		Entry struct {
			Level, Source, Text, URL string
		}
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if json.Unmarshal(params, &e) != nil {
		return
	}
	switch {
	case method == "Runtime.exceptionThrown":
		p.problem("exception: " + e.ExceptionDetails.Text + " " + e.ExceptionDetails.Exception.Description)
	case method == "Runtime.consoleAPICalled" && (e.Type == "error" || e.Type == "warning" || e.Type == "assert"):
		p.problem(fmt.Sprintf("console.%s: %v", e.Type, e.Args))
	case method == "Log.entryAdded" && (e.Entry.Level == "error" || e.Entry.Level == "warning"):
		p.problem(fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
	}
}

func (p *Page) problem(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, text)
}

// Problems returns what the page complained of since the last call: exceptions,
// errors and warnings of the console, failed requests, violated policies.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.problems
	p.problems = nil
	return found
}

// Resize gives the page another size.
func (p *Page) Resize(ctx context.Context, width, height int) error {
	return p.call(ctx, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Media sets a media feature such as prefers-color-scheme.
func (p *Page) Media(ctx context.Context, feature, value string) error {
	return p.call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": feature, "value": value}}}, nil)
}

// Go loads an address. It does not wait for what the page does then: see Wait.
func (p *Page) Go(ctx context.Context, url string) error {
	var answer struct{ ErrorText string }
	if err := p.call(ctx, "Page.navigate", map[string]any{"url": url}, &answer); err != nil {
		return err
	}
	if answer.ErrorText != "" {
		return fmt.Errorf("go to %s: %s", url, answer.ErrorText)
	}
	return nil
}

// Reload loads the page again.
func (p *Page) Reload(ctx context.Context) error { return p.call(ctx, "Page.reload", struct{}{}, nil) }

// Eval runs JavaScript and reads its value, or what its promise comes to, into
// result, which may be nil.
func (p *Page) Eval(ctx context.Context, script string, result any) error {
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	params := map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true}
	if err := p.call(ctx, "Runtime.evaluate", params, &answer); err != nil {
		return err
	}
	if d := answer.ExceptionDetails; d != nil {
		return fmt.Errorf("%s: %s %s", script, d.Text, d.Exception.Description)
	}
	if result == nil || answer.Result.Value == nil {
		return nil
	}
	return json.Unmarshal(answer.Result.Value, result)
}

// Wait waits until a JavaScript expression is true, looking once a frame. The page
// may be loaded anew meanwhile.
func (p *Page) Wait(ctx context.Context, condition string) error {
	script := `new Promise((done) => { const look = () => { let ok = false; try { ok = Boolean(` + condition +
		`) } catch {} ok ? done(true) : setTimeout(look, 16) }; look() })`
	for {
		err := p.Eval(ctx, script, nil)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			var text string
			_ = p.Eval(context.WithoutCancel(ctx), "document.body.innerText.slice(0, 2000)", &text)
			return fmt.Errorf("wait until %s: %w; the page says:\n%s", condition, ctx.Err(), text)
		}
		if !replaced(err) {
			return err
		}
	}
}

// replaced reports whether the document went away below a script.
func replaced(err error) bool {
	for _, text := range []string{"context was destroyed", "Cannot find context", "navigated or closed", "Promise was collected"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// Click clicks into the middle of the first element that a CSS selector finds.
func (p *Page) Click(ctx context.Context, selector string) error {
	var at *struct{ X, Y float64 }
	script := `(() => { const e = document.querySelector(` + strconv.Quote(selector) + `); if (!e) return null;
		e.scrollIntoView({block: "nearest", inline: "nearest"}); const b = e.getBoundingClientRect(); return {x: b.x + b.width / 2, y: b.y + b.height / 2} })()`
	if err := p.Eval(ctx, script, &at); err != nil {
		return err
	}
	if at == nil {
		return fmt.Errorf("click: there is no %s", selector)
	}
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		params := map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}
		if kind == "mouseMoved" {
			params["button"] = "none"
		}
		if err := p.call(ctx, "Input.dispatchMouseEvent", params, nil); err != nil {
			return err
		}
	}
	return nil
}

// Type puts text where the focus is, as an input method does.
func (p *Page) Type(ctx context.Context, text string) error {
	return p.call(ctx, "Input.insertText", map[string]any{"text": text}, nil)
}

// keyCodes are the keys that have names, with the numbers Windows once gave them.
var keyCodes = map[string]int{
	"Tab": 9, "Enter": 13, "Escape": 27, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36, "Backspace": 8, "Delete": 46,
	"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, " ": 32,
}

// Press presses one key, such as "a", "?", "Tab" or "Ctrl+Shift+Enter".
func (p *Page) Press(ctx context.Context, combination string) error {
	parts := strings.Split(combination, "+")
	key := parts[len(parts)-1]
	modifiers := 0
	for _, m := range parts[:len(parts)-1] {
		bit, ok := map[string]int{"Alt": 1, "Ctrl": 2, "Meta": 4, "Shift": 8}[m]
		if !ok {
			return fmt.Errorf("press %s: there is no modifier %s", combination, m)
		}
		modifiers |= bit
	}
	params := map[string]any{"type": "rawKeyDown", "key": key, "code": key, "modifiers": modifiers, "windowsVirtualKeyCode": keyCodes[key]}
	if len(key) == 1 {
		params["code"], params["windowsVirtualKeyCode"] = "Key"+strings.ToUpper(key), int(strings.ToUpper(key)[0])
		if key >= "0" && key <= "9" {
			params["code"] = "Digit" + key
		}
	} else if keyCodes[key] == 0 {
		return fmt.Errorf("press %s: there is no key %s", combination, key)
	}
	text := key
	if key == "Enter" {
		text = "\r"
	}
	if len(text) == 1 && modifiers&^8 == 0 {
		params["type"], params["text"] = "keyDown", text
	}
	if err := p.call(ctx, "Input.dispatchKeyEvent", params, nil); err != nil {
		return err
	}
	params["type"] = "keyUp"
	delete(params, "text")
	return p.call(ctx, "Input.dispatchKeyEvent", params, nil)
}

// Unnamed returns the controls that have no name for those who do not see them, as
// Chromium's own accessibility tree has it: a role and, if it has one, a value.
func (p *Page) Unnamed(ctx context.Context) (found []string, err error) {
	type property struct{ Value any }
	var tree struct {
		Nodes []struct {
			Ignored           bool
			Role, Name, Value property
			Properties        []struct {
				Name  string
				Value property
			}
		}
	}
	if err := p.call(ctx, "Accessibility.getFullAXTree", struct{}{}, &tree); err != nil {
		return nil, err
	}
	for _, n := range tree.Nodes {
		focusable := false
		for _, property := range n.Properties {
			focusable = focusable || property.Name == "focusable" && property.Value.Value == true
		}
		page := n.Role.Value == "RootWebArea" || n.Role.Value == "main"
		if name, _ := n.Name.Value.(string); focusable && !page && !n.Ignored && name == "" {
			found = append(found, fmt.Sprint(n.Role.Value, " ", n.Value.Value))
		}
	}
	return found, nil
}

// Screenshot writes what is seen to a PNG file.
func (p *Page) Screenshot(ctx context.Context, file string) error {
	var shot struct{ Data []byte }
	if err := p.call(ctx, "Page.captureScreenshot", map[string]any{"format": "png"}, &shot); err != nil {
		return err
	}
	if len(shot.Data) == 0 {
		return errors.New("the screenshot is empty")
	}
	return os.WriteFile(file, shot.Data, 0o644)
}

// Close closes the tab.
func (p *Page) Close(ctx context.Context) error { return p.call(ctx, "Page.close", nil, nil) }
