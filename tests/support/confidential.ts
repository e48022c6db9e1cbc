/** What must be in no message and in no text that somebody may log. */
export const KEY = 'k3y-of-a-person';
export const VALUE = 'c0nfidential';
export const PASSWORD = 'pa55w0rd';
