package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// certificate is one that is read again when its files change, as they do every
// few weeks where a program renews them.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex // protects the following
	current *tls.Certificate
	stamp   [2]time.Time // of the files it was read from
	looked  time.Time
}

// certificateCheck is how often the files are looked at.
const certificateCheck = time.Second

// secure makes a listener's connections TLS.
func (c *ServeCmd) secure(l net.Listener, log *slog.Logger) (net.Listener, error) {
	cert := &certificate{certFile: c.TLSCert, keyFile: c.TLSKey, log: log}
	if err := cert.read(cert.stamps()); err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: cert.get,
	}), nil
}

func (c *certificate) stamps() (stamp [2]time.Time) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			stamp[i] = info.ModTime()
		}
	}
	return stamp
}

func (c *certificate) read(stamp [2]time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

// get returns the certificate of now. While the files are being written they may
// not fit together; then the last good one is used, and they are looked at again.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < certificateCheck {
		return c.current, nil
	}
	c.looked = time.Now()
	if stamp := c.stamps(); stamp != c.stamp {
		if err := c.read(stamp); err != nil {
			c.log.Warn("the new certificate cannot be used; the old one is", "cert", c.certFile, "key", c.keyFile, "err", err)
		} else {
			c.log.Info("read the new certificate", "cert", c.certFile)
		}
	}
	return c.current, nil
}
