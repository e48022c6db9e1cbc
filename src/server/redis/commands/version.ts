/** The Redis whose answers are given; clients compare it as numbers. */
export const COMPATIBLE_REDIS_VERSION = '7.0.15';
