/**
 * A transformer for jest that compiles as the other tests do, with one defect planted: `PLANTED_DEFECT` holds
 * `{ file, find, replace }`, the file as an absolute path. The sources stay as they are, and all other files come from the cache.
 */
import { env } from 'node:process';
import compiler from '../support/transformer.js';

const defect = JSON.parse(env.PLANTED_DEFECT ?? 'null');

const plant = (source, path) => (path === defect?.file ? source.replace(defect.find, () => defect.replace) : source);

export default {
  getCacheKey: (source, path, options) => compiler.getCacheKey(plant(source, path), path, options),
  process: (source, path) => compiler.process(plant(source, path), path),
};
