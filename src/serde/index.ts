export type { Codec } from './codec';
export { CompressedSerde, type CompressedSerdeOptions } from './compressed-serde';
export {
  FLAG_BYTES,
  FLAG_COMPRESSED,
  FLAG_INTEGER,
  FLAG_JSON,
  FLAG_LONG,
  FLAG_NUMBER,
  FLAG_PICKLE,
  FLAG_STRUCTURED,
  FLAG_TEXT,
} from './flags';
export { JsonSerde, type JsonSerdeOptions } from './json-serde';
export { PythonSerde, type PythonSerdeOptions } from './python-serde';
export { RawSerde } from './raw-serde';
export { MISS, type Fixed, type Serde, type SerializedValue } from './serde';
export { StringSerde } from './string-serde';
export { TypedSerde, type CacheValue } from './typed-serde';
export type { CompressionLevel } from './zlib/zlib-codec';
export { StructuredSerde } from './structured-serde';
export { VersionedSerde } from './versioned-serde';
