import { rmSync } from 'node:fs';
import { SHARED_PACKAGE } from './packed';

export default function teardown(): void {
  rmSync(process.env[SHARED_PACKAGE] ?? '', { recursive: true, force: true });
}
