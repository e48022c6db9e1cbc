import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate and its key, both PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** An authority that signs certificates for tests; made by the openssl of the machine. */
export class TestAuthority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tsmemcache-'));
  /** The authority's own certificate. */
  readonly ca: string;

  constructor(name: string) {
    this.#openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', `/CN=${name}`);
    this.ca = this.#read('ca.pem');
  }

  /** Signs a certificate for `names` (`DNS:localhost`, `IP:127.0.0.1`). */
  sign(names: string): Identity {
    writeFileSync(join(this.#folder, 'extensions'), `subjectAltName=${names}\n`);
    this.#openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'one.key', '-out', 'one.csr', '-subj', '/CN=test');
    this.#openssl('x509', '-req', '-in', 'one.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'extensions', '-out', 'one.pem');
    return { cert: this.#read('one.pem'), key: this.#read('one.key') };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #read(name: string): string {
    return readFileSync(join(this.#folder, name), 'utf8');
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'ignore' });
  }
}
