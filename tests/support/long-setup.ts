import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import quick from './global-setup';
import { SHARED_PACKAGE } from './packed';

/** As for the quick tests; and a folder for the package, which those that need it make once for all. */
export default function setup(): void {
  quick();
  process.env[SHARED_PACKAGE] = mkdtempSync(join(tmpdir(), 'tsmemcache-package-'));
}
