package compat

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

// Owner and Pet are models with most kinds of fields.
type Owner struct {
	gorm.Model
	Name string `gorm:"uniqueIndex;not null"`
	Pets []Pet  `gorm:"constraint:OnDelete:CASCADE"`
}

type Pet struct {
	ID       uint
	OwnerID  uint
	Name     string
	Weight   float64
	Chipped  bool
	Photo    []byte
	Born     *time.Time
	Nickname *string
	Tags     []string `gorm:"serializer:json"`
}

// openGORM opens GORM on a database of the test's own.
func openGORM(t *testing.T) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(sqlite.Dialector{DriverName: "nearlite", Conn: open(t)}, &gorm.Config{
		TranslateError: true, Logger: logger.Default.LogMode(logger.Silent)})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Owner{}, &Pet{}); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestGORM(t *testing.T) {
	t.Parallel()
	db := openGORM(t)
	born := time.Date(2020, 2, 29, 8, 0, 0, 123000000, time.UTC)
	nick := "Tig"
	ann := Owner{Name: "Ann", Pets: []Pet{
		{Name: "Tiger", Weight: 4.5, Chipped: true, Photo: []byte{0xff, 0}, Born: &born, Nickname: &nick, Tags: []string{"cat", "loud"}},
		{Name: "Rex"},
	}}
	if err := db.Create(&ann).Error; err != nil {
		t.Fatal(err)
	}
	var got Owner
	if err := db.Preload("Pets").First(&got, "name = ?", "Ann").Error; err != nil {
		t.Fatal(err)
	}
	if len(got.Pets) != 2 || got.ID != ann.ID || time.Since(got.CreatedAt) > time.Hour {
		t.Fatalf("got %+v", got)
	}
	tiger := got.Pets[0]
	if !tiger.Born.Equal(born) {
		t.Errorf("born %v", tiger.Born)
	}
	tiger.Born = &born
	if !reflect.DeepEqual(tiger, ann.Pets[0]) {
		t.Errorf("got %+v, want %+v", tiger, ann.Pets[0])
	}
	if rex := got.Pets[1]; rex.Born != nil || rex.Nickname != nil || rex.Chipped {
		t.Errorf("got %+v", rex)
	}
	if err := db.Create(&Owner{Name: "Ann"}).Error; !errors.Is(err, gorm.ErrDuplicatedKey) {
		t.Errorf("a duplicate: %v", err)
	}
	if err := db.Create(&Pet{OwnerID: 999}).Error; !errors.Is(err, gorm.ErrForeignKeyViolated) {
		t.Errorf("a pet of nobody: %v", err)
	}
	if err := db.First(&Owner{}, "name = ?", "Bob").Error; !errors.Is(err, gorm.ErrRecordNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestGORMQueries(t *testing.T) {
	t.Parallel()
	db := openGORM(t)
	owners := make([]Owner, 250)
	for i := range owners {
		owners[i] = Owner{Name: time.Duration(i).String(), Pets: []Pet{{Name: "pet", Weight: float64(i)}}}
	}
	if err := db.CreateInBatches(owners, 100).Error; err != nil {
		t.Fatal(err)
	}
	var sum float64
	if err := db.Model(&Pet{}).Select("sum(weight)").Where("owner_id > @least", map[string]any{"least": 0}).Scan(&sum).Error; err != nil || sum != 249*125 {
		t.Errorf("sum %v, %v", sum, err)
	}
	res := db.Model(&Pet{}).Where("weight < ?", 10).Updates(map[string]any{"chipped": true, "weight": gorm.Expr("weight + 1")})
	if res.Error != nil || res.RowsAffected != 10 {
		t.Errorf("updated %d, %v", res.RowsAffected, res.Error)
	}
	up := Owner{Name: owners[0].Name}
	err := db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.Assignments(map[string]any{"updated_at": time.Now()})}).Create(&up).Error
	if err != nil || up.ID != owners[0].ID {
		t.Errorf("upsert: id %d, %v", up.ID, err)
	}
	var deleted []Pet
	if err := db.Clauses(clause.Returning{}).Where("weight > 240").Delete(&deleted).Error; err != nil || len(deleted) != 9 {
		t.Errorf("deleted %d, %v", len(deleted), err)
	}
	n := 0
	err = db.FindInBatches(&[]Owner{}, 60, func(tx *gorm.DB, batch int) error { n += int(tx.RowsAffected); return nil }).Error
	if err != nil || n != 250 {
		t.Errorf("found %d in batches, %v", n, err)
	}
	var one map[string]any
	if err := db.Model(&Pet{}).Select("name", "weight", "chipped", "born").Order("id").Take(&one).Error; err != nil {
		t.Fatal(err)
	}
	if one["name"] != "pet" || one["weight"] != 1.0 || one["born"] != nil {
		t.Errorf("got %#v", one)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.WithContext(ctx).Find(&[]Pet{}).Error; !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func TestGORMTransactions(t *testing.T) {
	t.Parallel()
	db := openGORM(t)
	stop := errors.New("stop")
	err := db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&Owner{Name: "kept"}).Error; err != nil {
			return err
		}
		inner := tx.Transaction(func(tx *gorm.DB) error { // a savepoint
			if err := tx.Create(&Owner{Name: "dropped"}).Error; err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(inner, stop) {
			return inner
		}
		return nil
	})
	var names []string
	if db.Model(&Owner{}).Pluck("name", &names); err != nil || !reflect.DeepEqual(names, []string{"kept"}) {
		t.Errorf("got %q, %v", names, err)
	}
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			err := db.Transaction(func(tx *gorm.DB) error {
				o := Owner{Name: time.Duration(i).String()}
				if err := tx.Create(&o).Error; err != nil {
					return err
				}
				return tx.Create(&Pet{OwnerID: o.ID}).Error
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var count int64
	if err := db.Model(&Pet{}).Joins("JOIN owners ON owners.id = owner_id").Count(&count).Error; err != nil || count != 64 {
		t.Errorf("%d pets, %v", count, err)
	}
}

func TestGORMMigrator(t *testing.T) {
	t.Parallel()
	db := openGORM(t)
	if err := db.Create(&Owner{Name: "Ann", Pets: []Pet{{Name: "Tiger"}, {Name: "Rex"}}}).Error; err != nil {
		t.Fatal(err)
	}
	m := db.Migrator()
	if !m.HasTable(&Pet{}) || !m.HasIndex(&Owner{}, "Name") || !m.HasConstraint(&Owner{}, "Pets") || !m.HasColumn(&Pet{}, "Born") {
		t.Error("the migrator misses something")
	}
	types, err := m.ColumnTypes(&Pet{})
	if err != nil || len(types) != 9 {
		t.Errorf("%d columns, %v", len(types), err)
	}
	if err := m.DropColumn(&Pet{}, "Photo"); err != nil || m.HasColumn(&Pet{}, "Photo") {
		t.Errorf("drop column: %v", err)
	}
	if err := m.RenameColumn(&Pet{}, "weight", "mass"); err != nil || !m.HasColumn(&Pet{}, "mass") {
		t.Errorf("rename column: %v", err)
	}
	type Owner struct {
		ID   uint
		Name string `gorm:"size:40"`
	}
	// Made anew and renamed: its pets refer to it and must survive that.
	if err := m.AlterColumn(&Owner{}, "Name"); err != nil {
		t.Errorf("alter column: %v", err)
	}
	var pets int64
	if err := db.Table("pets").Count(&pets).Error; err != nil || pets != 2 {
		t.Errorf("%d pets have survived, %v", pets, err)
	}
	if err := m.DropTable("pets", "owners"); err != nil || m.HasTable("pets") {
		t.Errorf("drop tables: %v", err)
	}
}
