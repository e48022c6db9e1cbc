/**
 * How the runs with planted defects compile: file by file, with esbuild, as the published package is. TypeScript takes ten times as long,
 * and as much again to be loaded by each of these runs.
 *
 * One file may have a defect planted: `PLANTED_DEFECT` holds `{ file, find, replace }`, the file as an absolute path. The sources stay as they are,
 * and all other files come from the cache.
 */
import { createHash } from 'node:crypto';
import { env } from 'node:process';
import { transformSync, version } from 'esbuild';

const defect = JSON.parse(env.PLANTED_DEFECT ?? 'null');

const plant = (source, path) => (path === defect?.file ? source.replace(defect.find, () => defect.replace) : source);

export default {
  createTransformer: () => ({
    // Jest keeps what it has instrumented for coverage under the same key.
    getCacheKey: (source, path, { instrument }) => createHash('sha256').update(`${version} ${instrument} ${path} ${plant(source, path)}`).digest('hex'),
    process: (source, path) => transformSync(plant(source, path), { loader: 'ts', format: 'cjs', target: 'node20', sourcemap: 'external', sourcefile: path }),
  }),
};
