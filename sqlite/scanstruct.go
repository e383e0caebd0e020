//go:build cgo

package sqlite

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// ScanStruct copies the columns into the fields of the struct that dest points
// to, by name, each as [Row.Scan] does. A field takes the column that its tag
// names, `db:"created_at"`; one without a tag the column of its own name,
// whatever the case and underscores (CreatedAt takes created_at). The fields of
// an embedded struct count as the struct's own, and `db:"-"` keeps one out.
//
// Every column needs a field; fields without a column stay as they are.
func (r Row) ScanStruct(dest any) error {
	if r.err != nil {
		return r.err
	}
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("scan into a %T: a pointer to a struct is needed", dest)
	}
	s := p.Elem()
	plan, err := r.plan(s.Type())
	if err != nil {
		return err
	}
	for i, index := range plan.fields {
		field, err := fieldOf(s, index)
		if err == nil {
			err = r.value(i).scan(field.Addr().Interface())
		}
		if err != nil {
			f := s.Type().FieldByIndex(index)
			return r.scanError(i, fmt.Sprintf("%v.%s (%v)", s.Type(), f.Name, f.Type), err)
		}
	}
	return nil
}

// fieldOf is FieldByIndex, and makes the embedded structs that are nil.
func fieldOf(s reflect.Value, index []int) (reflect.Value, error) {
	for _, i := range index[:len(index)-1] {
		if s = s.Field(i); s.Kind() == reflect.Pointer {
			if s.IsNil() {
				if !s.CanSet() {
					return s, errors.New("it is in an embedded pointer that is nil and not exported")
				}
				s.Set(reflect.New(s.Type().Elem()))
			}
			s = s.Elem()
		}
	}
	return s.Field(index[len(index)-1]), nil
}

// plan says into which field of a type each column of a statement goes.
type plan struct {
	typ      reflect.Type
	prepared int32 // the columns are those of this preparation
	fields   [][]int
}

// plan returns the plan for t, kept with the statement: the rows of a query go
// into the same type as a rule.
func (r *Row) plan(t reflect.Type) (*plan, error) {
	columns := r.Columns() // up to date after this
	if p := r.stmt.plan; p != nil && p.typ == t && p.prepared == r.stmt.prepared && len(p.fields) == int(r.ncol) {
		return p, nil
	}
	p := &plan{typ: t, prepared: r.stmt.prepared}
	byName := fieldsOf(t)
	taken := map[string]int{}
	for i := range int(r.ncol) {
		name := columns[i].Name
		f, ok := byName.find(name)
		switch {
		case !ok:
			return nil, fmt.Errorf("scan column %d %q: %v has no field for it: rename it with AS, or tag a field `db:%q`", i+1, name, t, name)
		case f.ambiguous:
			return nil, fmt.Errorf("scan column %d %q: %v has more than one field for it", i+1, name, t)
		}
		key := fmt.Sprint(f.index)
		if other, twice := taken[key]; twice {
			return nil, fmt.Errorf("scan column %d %q: column %d goes into the same field of %v: rename one with AS", i+1, name, other, t)
		}
		taken[key] = i + 1
		p.fields = append(p.fields, f.index)
	}
	r.stmt.plan = p
	return p, nil
}

// fields are those of a type that columns can go into.
type fields struct {
	byTag, byName map[string]structField
}

type structField struct {
	index     []int
	ambiguous bool
}

func (f *fields) find(column string) (structField, bool) {
	if field, ok := f.byTag[strings.ToLower(column)]; ok {
		return field, true
	}
	field, ok := f.byName[loose(column)]
	return field, ok
}

// loose is what a column's and a field's name have in common.
func loose(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

var fieldsByType sync.Map // of reflect.Type to *fields

func fieldsOf(t reflect.Type) *fields {
	if known, ok := fieldsByType.Load(t); ok {
		return known.(*fields)
	}
	f := &fields{byTag: map[string]structField{}, byName: map[string]structField{}}
	f.walk(t)
	known, _ := fieldsByType.LoadOrStore(t, f)
	return known.(*fields)
}

// walk adds the fields of t and of the structs embedded in it, level by level,
// since an outer field hides an inner one of the same name.
func (f *fields) walk(t reflect.Type) {
	type embedded struct {
		t     reflect.Type
		index []int
	}
	seen := map[reflect.Type]bool{}
	for queue := []embedded{{t, nil}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if seen[at.t] {
			continue
		}
		seen[at.t] = true
		for i := range at.t.NumField() {
			field := at.t.Field(i)
			index := append(slices.Clone(at.index), i)
			inner := field.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			tag, _, _ := strings.Cut(field.Tag.Get("db"), ",")
			switch {
			case tag == "-":
			case field.Anonymous && tag == "" && hasFields(inner):
				queue = append(queue, embedded{inner, index})
			case !field.IsExported():
			case tag != "":
				add(f.byTag, strings.ToLower(tag), index)
			default:
				add(f.byName, loose(field.Name), index)
			}
		}
	}
}

func add(to map[string]structField, name string, index []int) {
	if other, taken := to[name]; taken {
		other.ambiguous = other.ambiguous || len(other.index) == len(index)
		to[name] = other
		return
	}
	to[name] = structField{index: index}
}

// hasFields reports whether t is a struct that stands for a row, not for a value.
func hasFields(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !t.ConvertibleTo(timeType) && !reflect.PointerTo(t).Implements(scannerType)
}

var scannerType = reflect.TypeFor[scanner]()
