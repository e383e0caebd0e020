package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/superfly/ltx"

	"github.com/nearlite/nearlite/archive/internal/ltxfile"
	"github.com/nearlite/nearlite/crc64iso"
	"github.com/nearlite/nearlite/storage"
)

// part is a database that is being restored.
type part struct {
	file  *os.File
	state partState
	at    int64 // where the next page goes
	saved bool  // there is something to go on with
}

// partState says how far a restore has come, and is worth nothing for another plan.
type partState struct {
	Plan    []planned       `json:"plan"`
	Sources []ltxfile.State `json:"sources"` // one for each object, at the next page
	Pages   uint32          `json:"pages"`   // that were written
	Sum     uint64          `json:"sum"`     // of them
}

type planned struct {
	Key  string `json:"key"`
	Size int64  `json:"size"`
}

// openPart opens the file, with what an earlier restore of the same plan has left.
func openPart(dest string, way []Object) (*part, error) {
	f, err := os.OpenFile(dest+".part", os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	p := &part{file: f}
	plan := make([]planned, len(way))
	for i, o := range way {
		plan[i] = planned{o.Key, o.Size}
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is being written by another restore: %w", f.Name(), err)
	}
	if p.resume(plan) != nil {
		p.state, p.at = partState{Plan: plan}, 0
		_ = os.Remove(p.statePath())
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, err
		}
	}
	return p, nil
}

func (p *part) statePath() string { return p.file.Name() + ".json" }

// resume takes over an earlier restore, if it was of the same plan and its pages
// are still the ones it had written.
func (p *part) resume(plan []planned) error {
	text, err := os.ReadFile(p.statePath())
	if err != nil {
		return err
	}
	if p.state, err = parsePartState(text); err != nil {
		return err
	}
	if !slices.Equal(p.state.Plan, plan) {
		return errors.New("it was of another plan")
	}
	pageSize := p.state.Sources[0].Header.PageSize
	p.at = int64(p.state.Pages) * int64(pageSize)
	sum, err := sumOf(io.NewSectionReader(p.file, 0, p.at), pageSize, p.state.Pages)
	if err == nil && sum != p.state.Sum {
		err = errors.New("its pages have changed")
	}
	p.saved = err == nil
	return err
}

func parsePartState(text []byte) (partState, error) {
	var s partState
	if err := json.Unmarshal(text, &s); err != nil {
		return partState{}, err
	}
	if len(s.Sources) == 0 || len(s.Sources) != len(s.Plan) {
		return partState{}, errors.New("it does not say where to go on")
	}
	for i, source := range s.Sources {
		h := source.Header
		if err := h.Validate(); err != nil {
			return partState{}, err
		}
		if h.PageSize != s.Sources[0].Header.PageSize || source.Offset < ltx.HeaderSize || source.Offset > s.Plan[i].Size {
			return partState{}, errors.New("it makes no sense")
		}
	}
	return s, nil
}

// sumOf reads so many pages and adds them up.
func sumOf(r io.Reader, pageSize, pages uint32) (sum uint64, err error) {
	buf := make([]byte, 64*int(pageSize))
	lock := ltx.LockPgno(pageSize)
	for number := uint32(1); number <= pages; {
		n := min(64, pages-number+1)
		if _, err := io.ReadFull(r, buf[:n*pageSize]); err != nil {
			return 0, err
		}
		for i := range n {
			if number != lock {
				sum ^= crc64iso.Page(number, buf[i*pageSize:(i+1)*pageSize])
			}
			number++
		}
	}
	return sum, nil
}

// states says where to go on in each object, nil to begin at the beginning.
func (p *part) states() []ltxfile.State {
	if !p.saved {
		return nil
	}
	return p.state.Sources
}

func (p *part) write(b []byte) error {
	_, err := p.file.WriteAt(b, p.at)
	p.at += int64(len(b))
	return err
}

// save makes what was written, and where to go on, survive a crash.
func (p *part) save(m *merge) error {
	states, ok := m.states()
	if !ok {
		return nil
	}
	p.state.Sources = states
	text, err := json.Marshal(p.state)
	if err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	if err := writeSynced(p.statePath()+".new", text); err != nil {
		return err
	}
	p.saved = true
	return os.Rename(p.statePath()+".new", p.statePath())
}

func writeSynced(path string, text []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// states says where to go on later in each object. A merge with temporary files
// cannot be gone on with.
func (m *merge) states() ([]ltxfile.State, bool) {
	if len(m.temps) > 0 {
		return nil, false
	}
	states := make([]ltxfile.State, len(m.sources))
	for i, s := range m.sources {
		states[i] = s.before
	}
	for _, i := range m.used { // their pages were delivered
		states[i] = m.sources[i].pages.State()
	}
	return states, true
}

// spoiled removes what is of no use to anybody: what was wrong will be wrong again,
// or there is nothing to go on with.
func (p *part) spoiled(err error) error {
	wrong := errors.Is(err, storage.ErrDamaged) || errors.Is(err, ErrSum) || errors.Is(err, ErrIncomplete)
	if wrong || !p.saved {
		_ = os.Remove(p.file.Name())
		_ = os.Remove(p.statePath())
	}
	return err
}

func (p *part) close() { _ = p.file.Close() }
