/**
 * A transformer for jest with one defect planted: `PLANTED_DEFECT` holds `{ file, find, replace }`, the file as an absolute path.
 * The sources stay as they are, and all other files come from the cache. It compiles with esbuild, as the published package is:
 * each defect has a jest of its own, in which loading TypeScript would take longer than the test.
 */
import { createHash } from 'node:crypto';
import { env } from 'node:process';
import { transformSync, version } from 'esbuild';

const defect = JSON.parse(env.PLANTED_DEFECT ?? 'null');

const plant = (source, path) => (path === defect?.file ? source.replace(defect.find, () => defect.replace) : source);

export default {
  createTransformer: () => ({
    getCacheKey: (source, path) => createHash('sha256').update(`${version} ${path} ${plant(source, path)}`).digest('hex'),
    process: (source, path) => transformSync(plant(source, path), { loader: 'ts', format: 'cjs', target: 'node20', sourcemap: 'inline', sourcefile: path }),
  }),
};
