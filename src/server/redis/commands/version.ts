/** The version of Redis whose behaviour this server has; clients compare it as numbers. */
export const COMPATIBLE_REDIS_VERSION = '7.0.15';
